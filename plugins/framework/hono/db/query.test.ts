import { expect, test } from "bun:test"
import { contains, has, ne } from "./compare.ts"
import { Database, useDatabase } from "./database.ts"
import { model } from "./model.ts"
import { boolean, choice, datetime, decimal, many, markdown, references, slug, text } from "./fields.ts"

const User = model("user", { name: text({ max: 20, search: true }), boss: references("self", { optional: true }) })
const Tag = model("tag", { name: text({ unique: true }) })
const Post = model(
  "post",
  {
    title: text({ max: 120, search: true }),
    slug: slug({ from: "title", unique: true }),
    author: references(User),
    body: markdown({ default: "" }),
    price: decimal({ default: "1.50" }),
    state: choice(["draft", "live"], { default: "draft" }),
    hot: boolean({ default: false }),
    publishedAt: datetime({ optional: true, filter: true }),
    tags: many(Tag),
  },
  { order: ["-publishedAt"], scopes: { published: q => q.where({ publishedAt: ne(null) }) } },
)

test("feel", async () => {
  const db = new Database("sqlite::memory:")
  useDatabase(db)
  db.client.run("create table user (id integer primary key autoincrement, name text not null, boss_id integer)")
  db.client.run("create table tag (id integer primary key autoincrement, name text not null unique)")
  db.client.run("create table post_tags (post_id integer not null, tag_id integer not null, primary key (post_id, tag_id))")
  db.client.run(
    "create table post (id integer primary key autoincrement, title text not null, slug text not null unique, author_id integer not null references user(id), body text not null, price integer not null, state text not null, hot integer not null, published_at integer)",
  )
  const ann = await User.create({ name: "Ann" })
  const a = await Tag.create({ name: "a" })
  const p = await Post.create({ title: "Hello World", author: ann, tags: [a.id], publishedAt: new Date(0) })
  expect(p).toMatchObject({ slug: "hello-world", price: "1.50", authorId: ann.id, state: "draft", hot: false })
  const list = await Post.published.with("author", "tags").order("-publishedAt").limit(20)
  expect(list[0]!.author.name).toBe("Ann")
  expect(list[0]!.tags[0]!.name).toBe("a")
  expect(await Post.where({ author: has({ name: contains("nn") }), tags: has({ name: "a" }) }).count()).toBe(1)
  expect(await Post.all.search("hello").count()).toBe(1)
  const [short] = await Post.published.with("author").without("body", "publishedAt")
  // Sorted by, so it is there all the same.
  expect(Object.keys(short!)).toEqual(["id", "title", "slug", "authorId", "price", "state", "hot", "publishedAt", "author"])
  // @ts-expect-error what was left out is a type error
  expect(short!.body).toBeUndefined()
  expect((await Post.published.without("body").page({ size: 1 })).rows[0]!.price).toBe("1.50")
  await expect(Post.create({ title: "Hello World", author: ann })).rejects.toThrow("slug: There is one")
  // @ts-expect-error an unknown field is a type error
  await expect(Post.create({ title: "x", author: 99, wrong: 1 })).rejects.toThrow("wrong")
  await expect(Post.create({ title: "x", author: 99 })).rejects.toThrow("refers")
  await Post.update(p, { price: "-0.05" })
  expect((await Post.get(p.id)).price).toBe("-0.05")
})
