/** Every kind of change, with rows in parent and child, on both databases: no row is ever lost. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describeWith } from "../../../../../test/kit/needs.ts"
import { Postgres } from "../../../../../test/kit/postgres.ts"
import { has } from "../compare.ts"
import { Database, useDatabase } from "../database.ts"
import { boolean, datetime, decimal, integer, many, references, text } from "../fields.ts"
import { model } from "../model.ts"
import { readMigrations } from "./files.ts"
import { Bench, create, rename } from "./testdata/bench.ts"

const User = model("user", { name: text() })
const Post = model("post", { title: text(), author: references(User, { onDelete: "cascade" }) })
const Comment = model("comment", { body: text(), post: references(Post, { onDelete: "cascade" }) })

function suite(open: (name: string) => Promise<Database>): void {
  let n = 0
  /** Users, posts and comments with rows in all of them. */
  const seeded = async (): Promise<Bench> => {
    const bench = new Bench(await open(`m${n++}`))
    await bench.to([User, Post, Comment])
    await bench.run(async () => {
      const ann = await User.create({ name: "Ann" })
      const posts = await Post.createMany([1, 2, 3].map(i => ({ title: `Post ${i}`, author: ann })))
      await Comment.createMany(posts.flatMap(post => [1, 2].map(i => ({ body: `c${i}`, post }))))
    })
    return bench
  }
  const counts = (bench: Bench) => bench.run(async () => [await User.all.count(), await Post.all.count(), await Comment.all.count()])

  test("the same models again make nothing", async () => {
    const bench = await seeded()
    expect(await bench.to([User, Post, Comment])).toBeUndefined()
    await bench.end()
  })

  test("a parent made anew keeps the rows of its children", async () => {
    const bench = await seeded()
    const User2 = model("user", { name: text({ optional: true }) })
    const Post2 = model("post", { title: text({ optional: true }), author: references(User2, { onDelete: "cascade" }) })
    await bench.to([User2, Post2, Comment])
    expect(await counts(bench)).toEqual([1, 3, 6])
    await bench.run(() => Post2.create({ author: 1 }))
    expect(await counts(bench)).toEqual([1, 4, 6])
    await bench.end()
  })

  test("a renamed column keeps its values, and can be taken back", async () => {
    const bench = await seeded()
    const Post2 = model("post", { headline: text(), author: references(User, { onDelete: "cascade" }) })
    await bench.to([User, Post2, Comment], { ask: rename })
    expect(await bench.run(() => Post2.all.pluck("headline"))).toEqual(["Post 1", "Post 2", "Post 3"])
    await bench.back()
    expect(await bench.run(() => Post.all.pluck("title"))).toEqual(["Post 1", "Post 2", "Post 3"])
    expect(await counts(bench)).toEqual([1, 3, 6])
    await bench.end()
  })

  test("a rename that nobody answers for is an error that says what to type", async () => {
    const bench = await seeded()
    const Post2 = model("post", { headline: text(), author: references(User, { onDelete: "cascade" }) })
    await expect(bench.to([User, Post2, Comment])).rejects.toThrow("--rename OLD=post.headline")
    await bench.end()
  })

  test("a renamed table keeps its rows and those that refer to it", async () => {
    const bench = await seeded()
    const Article = model("article", { title: text(), author: references(User, { onDelete: "cascade" }) })
    const Comment2 = model("comment", { body: text(), post: references(Article, { onDelete: "cascade" }) })
    await bench.to([User, Article, Comment2], { ask: rename })
    expect(await bench.run(() => Comment2.where({ post: has({ title: "Post 2" }) }).count())).toBe(2)
    await bench.run(() => Article.delete(1))
    expect(await bench.run(() => Comment2.all.count())).toBe(4)
    await bench.end()
  })

  test("a needed field with a default fills the rows there are", async () => {
    const bench = await seeded()
    const Post2 = model("post", {
      title: text(),
      author: references(User, { onDelete: "cascade" }),
      state: text({ default: "it's a draft" }),
      hot: boolean({ default: true }),
      price: decimal({ default: "2.50" }),
      rank: integer({ default: -1 }),
    })
    await bench.to([User, Post2, Comment])
    expect(await bench.run(() => Post2.get(2))).toEqual({ id: 2, title: "Post 2", authorId: 1, state: "it's a draft", hot: true, price: "2.50", rank: -1 })
    // The default lives in the model only: no drift that a later comparison would see.
    expect(await bench.to([User, Post2, Comment])).toBeUndefined()
    expect(await counts(bench)).toEqual([1, 3, 6])
    await bench.end()
  })

  test("a needed field without a default is asked for", async () => {
    const bench = await seeded()
    const Post2 = model("post", { title: text(), author: references(User, { onDelete: "cascade" }), code: text() })
    await expect(bench.to([User, Post2, Comment])).rejects.toThrow("--fill post.code=VALUE")
    await bench.to([User, Post2, Comment], { fill: async () => "'x'" })
    expect(await bench.run(() => Post2.all.pluck("code"))).toEqual(["x", "x", "x"])
    await bench.end()
  })

  test("a field that becomes needed refuses rows that lack it, and changes nothing", async () => {
    const bench = await seeded()
    const Loose = model("comment", { body: text({ optional: true }), post: references(Post, { onDelete: "cascade" }) })
    await bench.to([User, Post, Loose])
    await bench.run(() => Loose.create({ post: 1 }))
    await expect(bench.to([User, Post, Comment], { ask: create })).rejects.toThrow("nothing was changed")
    expect(await counts(bench)).toEqual([1, 3, 7])
    await bench.end()
  })

  test("an index, a unique one, a many field, a new model come and go", async () => {
    const bench = await seeded()
    const Tag = model("tag", { name: text({ unique: true }), at: datetime({ optional: true, index: true }) })
    const Post2 = model("post", { title: text({ unique: true }), author: references(User, { onDelete: "cascade" }), tags: many(Tag) })
    await bench.to([User, Post2, Comment, Tag], { ask: create })
    await bench.run(async () => {
      const tag = await Tag.create({ name: "a" })
      await Post2.update(1, { tags: [tag] })
      await expect(Post2.create({ title: "Post 2", author: 1 })).rejects.toThrow("title: There is one")
    })
    expect(await bench.run(() => Post2.where({ tags: has({ name: "a" }) }).count())).toBe(1)
    await bench.back()
    expect(await counts(bench)).toEqual([1, 3, 6])
    await bench.end()
  })

  test("an edited migration, a missing one and one out of order are said", async () => {
    const bench = await seeded()
    const [first] = readMigrations(bench.dir)
    writeFileSync(join(bench.dir, first!.name, "up.sql"), "SELECT 1;\n")
    await expect(bench.migrate()).rejects.toThrow("was changed after it ran")
    rmSync(join(bench.dir, first!.name), { recursive: true })
    await expect(bench.migrate()).rejects.toThrow("no such folder")
    await bench.end()
  })
}

describe("SQLite", () => suite(async () => new Database("sqlite::memory:")))

describeWith(["postgresql"], "PostgreSQL", () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await Postgres.start()
  }, 60_000)
  afterAll(() => postgres[Symbol.asyncDispose]())
  suite(async name => new Database(await postgres.database(name)))
})

afterAll(() => useDatabase(undefined))
