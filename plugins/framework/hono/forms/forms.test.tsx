/** Forms of models and of schemas: decoding, errors, re-filling, saving. On SQLite and PostgreSQL. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Hono } from "hono"
import * as v from "valibot"
import { describeWith } from "../../../../test/kit/needs.ts"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { Database, useDatabase } from "../db/database.ts"
import { emailAddress } from "../db/email-address.ts"
import { boolean, choice, datetime, decimal, email, integer, json, many, markdown, references, slug, text, url } from "../db/fields.ts"
import { readMigrations, writeMigration } from "../db/migrate/files.ts"
import { makeMigration } from "../db/migrate/make.ts"
import { runnerFor } from "../db/migrate/runner.ts"
import { model } from "../db/model.ts"
import { FormBody } from "./form-body.ts"
import { form } from "./form.ts"
import { formset, saveAll } from "./formset.ts"
import { FormView } from "./view.tsx"

const User = model("user", { name: text({ max: 20, search: true }) })
const Tag = model("tag", { name: text({ unique: true }) })
const Seat = model("seat", { row: integer(), place: integer({ label: "Seat" }) }, { indexes: [{ fields: ["row", "place"], unique: true }] })
const Post = model("post", {
  title: text({ max: 120, search: true, help: "At most 120 characters" }),
  slug: slug({ from: "title", unique: true }),
  author: references(User),
  body: markdown({ default: "" }),
  price: decimal({ default: "1.50" }),
  state: choice(["draft", "live"], { default: "draft" }),
  hot: boolean({ default: false }),
  stars: integer({ optional: true, min: 1, max: 5 }),
  link: url({ optional: true }),
  publishedAt: datetime({ optional: true }),
  extra: json({ optional: true }),
  secret: text({ default: "s3cret", editable: false }),
  tags: many(Tag),
})
const models = [User, Tag, Seat, Post]
const PostForm = form(Post, { timeZone: "Europe/Berlin" })

const body = (values: Record<string, string | readonly string[]>) =>
  FormBody.from(Object.entries(values).flatMap(([key, value]) => [value].flat().map(one => [key, one as string] as const)))

/** Parts of a form ask the database: drawing is then a promise. */
const drawn = async (tree: { toString(): string | Promise<string> }): Promise<string> => String(await tree.toString())

const Contact = form(
  v.object({
    name: v.pipe(v.string(), v.title("Your name"), v.minLength(2)),
    email: v.pipe(v.string(), v.email()),
    age: v.optional(v.pipe(v.number(), v.integer(), v.minValue(18))),
    colours: v.pipe(v.array(v.picklist(["red", "blue"])), v.minLength(1)),
    size: v.picklist(["small", "large"]),
    terms: v.literal(true),
    note: v.optional(v.pipe(v.string(), v.maxLength(1000))),
    on: v.optional(v.date()),
  }),
  { fields: { size: { widget: "radio" } }, check: values => (values.name === "root" ? { name: "Not you.", "": "Go away." } : undefined) },
)

test("addresses with internationalised domains, of a model and of a schema", async () => {
  const Reader = model("reader", { address: email() })
  const both = [form(Reader), form(v.object({ address: emailAddress }))]
  for (const one of both) {
    for (const typed of ["info@почта.рф", " info@xn--80a1acny.xn--p1ai "]) {
      const bound = await one.check(body({ address: typed }))
      expect([bound.errors, bound.values]).toEqual([{}, { address: "info@xn--80a1acny.xn--p1ai" }] as never)
    }
    expect((await one.check(body({ address: "info@почта" }))).errors).toEqual({ address: "Please give a valid e-mail address." } as never)
    expect(await drawn(<FormView form={one.blank()} />)).toContain('type="email"')
  }
})

describe("of a schema", () => {
  const good = { name: " Ann ", email: "ann@example.com", colours: ["red", "blue"], size: "small", terms: "on", on: "2026-02-03T04:05", unknown: "x" }

  test("typed values", async () => {
    const bound = await Contact.check(body(good))
    expect(bound.errors).toEqual({})
    expect(bound.values).toEqual({ name: "Ann", email: "ann@example.com", colours: ["red", "blue"], size: "small", terms: true, on: new Date("2026-02-03T04:05Z") } as never)
    const typed: { name: string; age?: number | undefined; size: "small" | "large" } = bound.values
    expect(typed.name).toBe("Ann")
    // @ts-expect-error a form of this schema has no such value
    expect(bound.values.unknown).toBeUndefined()
  })

  test("errors at the field, in the reader's language", async () => {
    const bad = { name: "A", email: "nobody", age: "17", colours: "green", size: "", on: "2026-02-31T00:00" }
    const bound = await Contact.check(body(bad), { lang: "de" })
    expect(bound.ok).toBe(false)
    expect(bound.errors).toEqual({
      name: "Bitte mindestens 2 Zeichen.",
      email: "Bitte geben Sie eine gültige E-Mail-Adresse an.",
      age: "Bitte 18 oder mehr.",
      colours: "Bitte wählen Sie eine der Möglichkeiten.",
      size: "Bitte füllen Sie dieses Feld aus.",
      terms: "Bitte setzen Sie hier ein Häkchen.",
      on: "Bitte geben Sie Datum und Uhrzeit an.",
    })
    expect(() => bound.values).toThrow("look at `ok`")
  })

  test("checks of the author's own come last", async () => {
    const bound = await Contact.check(body({ ...good, name: "root" }))
    expect(bound.errors).toEqual({ name: "Not you.", "": "Go away." })
    expect(bound.status).toBe(422)
  })

  test("checks over several fields of the schema are shown where v.forward says", async () => {
    const both = v.object({ a: v.string(), b: v.string() })
    const Same = form(v.pipe(both, v.forward(v.check(({ a, b }) => a === b, "Not the same."), ["b"])))
    expect((await Same.check(body({ a: "x", b: "y" }))).errors).toEqual({ b: "Not the same." })
  })

  test("what has no input is an error when the form is made", () => {
    expect(() => form(v.object({ x: v.object({}) }))).toThrow('form field "x": there is no input for object')
    expect(() => form(v.string() as never)).toThrow("v.object")
    // @ts-expect-error a field that the schema does not have
    expect(() => form(v.object({ x: v.string() }), { fields: { y: {} } })).toThrow('no field "y"')
  })
})

function suite(open: () => Promise<Database>): void {
  let db: Database
  let ann: { id: number }
  let tags: { id: number }[]
  beforeAll(async () => {
    db = await open()
    useDatabase(db)
    const made = await makeMigration({ models, dialect: db.dialect, existing: [], ask: async () => undefined })
    const folder = mkdtempSync(join(tmpdir(), "edge-forms-"))
    writeMigration(folder, made!)
    for (const migration of readMigrations(folder)) await runnerFor(db).apply(migration)
    rmSync(folder, { recursive: true })
    ann = await User.create({ name: "Ann" })
    await User.create({ name: "Bob" })
    tags = await Tag.createMany(["a", "b", "c"].map(name => ({ name })))
  })
  afterAll(async () => {
    useDatabase(undefined)
    await db.close()
  })

  const send = (values: Record<string, string | readonly string[]>, bind: Parameters<typeof PostForm.check>[1] = {}) => PostForm.check(body(values), bind)

  test("makes a row with its relations; what the form does not have is never set", async () => {
    const bound = await send({ title: "Hello World", author: String(ann.id), body: "a\r\nb", price: "", state: "live", tags: [String(tags[0]!.id), String(tags[2]!.id)], publishedAt: "2026-07-01T12:00", secret: "hacked", id: "999", hot: "on", extra: '{"a":[1]}' })
    expect(bound.errors).toEqual({})
    const author: number = bound.values.author
    expect(author).toBe(ann.id)
    const row = (await bound.save())!
    expect(row).toMatchObject({ title: "Hello World", slug: "hello-world", body: "a\nb", price: "1.50", state: "live", secret: "s3cret", hot: true, extra: { a: [1] }, stars: null, authorId: ann.id })
    expect(row.publishedAt).toEqual(new Date("2026-07-01T10:00Z"))
    expect(row.id).not.toBe(999)
    const full = await Post.with("tags").get(row.id as never)
    expect(full.tags.map(tag => tag.name)).toEqual(["a", "c"])
  })

  test("a unique value that is there is an error at its field, in the reader's language; nothing is stored", async () => {
    const count = await Post.all.count()
    const bound = await send({ title: "Hello World", author: String(ann.id), tags: String(tags[0]!.id) }, { lang: "pl" })
    expect(bound.ok).toBe(true)
    expect(await bound.save()).toBeNull()
    expect(bound.errors).toEqual({ slug: "Taka wartość już istnieje." })
    expect(await Post.all.count()).toBe(count)
  })

  test("a slug that the form does not show is made of any title; one that is taken is an error at the title", async () => {
    const Titles = form(Post, { only: ["title", "author"] })
    const sendTitle = (title: string) => Titles.check(body({ title, author: String(ann.id) }), { lang: "pl" })
    const made = (await (await sendTitle("Łódź płonie")).save())!
    expect(made.slug).toBe("lodz-plonie")
    const again = await sendTitle("Lodz, plonie!")
    expect([await again.save(), again.errors]).toEqual([null, { title: "Taka wartość już istnieje." }])
    const ids = [made.id]
    for (const title of ["你好", "你好", "!!!"]) {
      const row = (await (await sendTitle(title)).save())!
      expect(row.slug).toMatch(/^[0-9a-f]{12}$/)
      ids.push(row.id)
    }
    for (const id of ids) await Post.delete(id)
  })

  test("values that must be unique together are an error of the form as a whole", async () => {
    const Seats = form(Seat)
    const take = async () => Seats.check(body({ row: "1", place: "2" }), { lang: "de" })
    expect(await (await take()).save()).toMatchObject({ row: 1, place: 2 })
    const again = await take()
    expect([await again.save(), again.errors]).toEqual([null, { "": "Mit diesen Werten gibt es schon etwas: row und Seat." }])
  })

  test("changes a row; emptied fields are emptied, relations replaced", async () => {
    const row = (await Post.with("tags").first())!
    const bound = await send({ title: "Changed", slug: row.slug, author: String(ann.id), body: "", state: "draft", stars: "5", tags: String(tags[1]!.id) }, { row })
    expect(bound.errors).toEqual({})
    expect(await bound.save()).toMatchObject({ id: row.id, title: "Changed", slug: "hello-world", body: "", publishedAt: null, hot: false, stars: 5 })
    expect((await Post.with("tags").get(row.id as never)).tags.map(tag => tag.name)).toEqual(["b"])
  })

  test("relations that nobody loaded are shown as they are, so that saving keeps them", async () => {
    const row = (await Post.all.first())!
    const html = await drawn(<FormView form={PostForm.blank(undefined, { row })} />)
    expect(html).toMatch(new RegExp(`<input type="checkbox" id="f-tags-1" name="tags" value="${tags[1]!.id}" checked=""`))
    expect(html.match(/name="tags"[^>]*checked/g)).toHaveLength(1)
  })

  test("made-up rows, choices and numbers are refused", async () => {
    const bound = await send({ title: "x".repeat(121), slug: "Not A Slug", author: "99999", price: "1.234", state: "gone", stars: "0x3", link: "javascript:alert(1)", tags: [String(tags[0]!.id), "1 or 1=1"], extra: "{" })
    expect(bound.errors).toEqual({
      title: "Please use at most 120 characters.",
      slug: "Only small letters, digits and single hyphens.",
      author: "Please choose one of the choices.",
      price: "Please give a number with at most 2 digits after the point.",
      state: "Please choose one of the choices.",
      stars: "Please give a number.",
      link: "Please give a web address that starts with http:// or https://.",
      tags: "Please choose one of the choices.",
      extra: "This is not valid JSON.",
    })
    expect((await send({ title: "x", author: String(ann.id), stars: "9" })).errors).toEqual({ stars: "Please give 5 or less." })
  })

  test("a row that the field's query does not have cannot be chosen", async () => {
    const Own = form(Post, { only: ["title", "author"], fields: { author: { query: () => User.where({ name: "Bob" }) } } })
    expect((await Own.check(body({ title: "x", author: String(ann.id) }))).errors).toEqual({ author: "Please choose one of the choices." })
    const html = await drawn(<FormView form={Own.blank()} />)
    expect(html).toContain(">Bob</option>")
    expect(html).not.toContain(">Ann</option>")
  })

  test("fields are chosen by name, and types follow", async () => {
    const Short = form(Post, { only: ["title", "stars"] })
    const bound = await Short.check(body({ title: "T", stars: "3", author: "1" }))
    const values: { title: string; stars: number | null } = bound.values
    expect(values).toEqual({ title: "T", stars: 3 })
    // @ts-expect-error not among `only`
    expect(bound.values.author).toBeUndefined()
    // @ts-expect-error no such field
    expect(() => form(Post, { only: ["nope"] })).toThrow('it has no field "nope"')
    expect(() => form(Post, { only: ["secret"] })).toThrow("not editable")
    const less = form(Post, { except: ["title"] })
    // @ts-expect-error left out
    expect(() => less.blank().field("title")).toThrow("no field")
    expect(await bound.save({ author: ann.id })).toMatchObject({ title: "T", stars: 3 })
  })

  test("the button that finds rows gives the form back unchecked, with what matches", async () => {
    const bound = await send({ title: "", author__find: "bo", _find: "author", body: "kept" })
    expect(bound.ok).toBe(false)
    expect(bound.errors).toEqual({})
    const html = await drawn(<FormView form={bound} />)
    expect(html).toContain(">Bob</option>")
    expect(html).not.toContain(">Ann</option>")
    expect(html).toContain("kept</textarea>")
  })

  describe("formset", () => {
    const Tags = formset(form(Tag), { prefix: "tag", max: 4, extra: 1, canOrder: true, label: "Tags" })

    test("adds, changes, deletes and leaves out what is empty", async () => {
      const rows = await Tag.order("id")
      const [a, b, c] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]]
      await Post.all.delete()
      const sent = { "tag-total": "5", "tag-0-__id": String(a.id), "tag-0-name": "A", "tag-1-__id": String(b.id), "tag-1-name": "", "tag-1-__delete": "on", "tag-2-__id": String(c.id), "tag-2-name": "c", "tag-3-name": "d", "tag-3-__order": "0", "tag-4-name": " " }
      const set = await Tags.check(body(sent), { rows })
      expect(set.ok).toBe(true)
      expect(set.values.map(values => values.name)).toEqual(["d", "A", "c"])
      expect((await saveAll(set))?.length).toBe(3)
      expect(await Tag.order("id").pluck("name")).toEqual(["A", "c", "d"])
    })

    test("a row of somebody else, and a number of rows that was made up, change nothing", async () => {
      const rows = await Tag.order("id")
      const foreign = await Tags.check(body({ "tag-total": "1", "tag-0-__id": "424242", "tag-0-name": "x" }), { rows })
      expect([foreign.ok, foreign.errors]).toEqual([false, ["This changed while you worked; please start again."]])
      for (const total of ["1000000000", "-1", "x", "1e9"]) {
        const set = await Tags.check(body({ "tag-total": total }), { rows })
        expect([set.ok, set.rows.length]).toEqual([false, 0])
      }
    })

    test("one that the database refuses undoes all, and the error is in its row", async () => {
      const rows = await Tag.order("id")
      const set = await Tags.check(body({ "tag-total": "2", "tag-0-name": "new", "tag-1-name": "A" }), { rows })
      expect(await saveAll(set)).toBeNull()
      expect(set.rows[1]!.form.errors).toEqual({ name: "There is one with this value already." })
      expect(await Tag.all.count()).toBe(rows.length)
    })

    test("bounds", async () => {
      const many = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`tag-${i}-name`, `n${i}`]))
      expect((await Tags.check(body({ "tag-total": "5", ...many }))).errors).toEqual(["At most 4."])
      const two = formset(form(Tag), { prefix: "t", min: 2 })
      expect((await two.check(body({ "t-total": "1", "t-0-name": "x" }))).errors).toEqual(["Please fill in at least 2."])
      expect(two.blank().rows).toHaveLength(2)
    })

    test("one more row without scripts", async () => {
      const set = await Tags.check(body({ "tag-total": "1", "tag-0-name": "kept", _add: "tag" }))
      expect([set.ok, set.rows.length]).toEqual([false, 2])
      const html = await drawn(<FormView form={Contact.blank()} formsets={[set]} />)
      expect(html).toContain('name="tag-total" value="2"')
      expect(html).toContain('name="tag-0-name" value="kept"')
      expect(html).toContain('name="tag-__index__-name"')
      expect(html).toContain('name="tag-1-name"')
    })
  })
}

describe("of a model, on SQLite", () => {
  const dir = mkdtempSync(join(tmpdir(), "edge-forms-"))
  afterAll(() => rmSync(dir, { recursive: true }))
  suite(async () => new Database("sqlite:forms.db", { dir }))
})

describeWith(["postgresql"], "of a model, on PostgreSQL", () => {
  let postgres: Postgres
  suite(async () => {
    postgres = await Postgres.start()
    return new Database(await postgres.database("forms"))
  })
  afterAll(async () => postgres[Symbol.asyncDispose]())
})

describe("drawn", () => {
  const app = new Hono<{ Variables: { csrf: { token: string } } }>()
  app.use(async (c, next) => {
    c.set("csrf", { token: "tok" })
    await next()
  })
  app.all("/", async c => {
    const bound = await Contact.handle(c)
    return c.html(<FormView form={bound} submit="Send" />, bound.status)
  })

  test("the token comes first; help and errors are tied to the input; nothing typed is lost or run", async () => {
    const typed = new URLSearchParams({ name: '"><script>alert(1)</script>', email: "a b", size: "large", note: "\n</textarea><b>x" })
    const answer = await app.request("/", { method: "POST", body: typed, headers: { "accept-language": "de-CH, en;q=0.5", "content-type": "application/x-www-form-urlencoded" } })
    expect(answer.status).toBe(422)
    const html = await answer.text()
    expect(html).toStartWith('<form method="post" class="edge-form"><input type="hidden" name="_csrf" value="tok"')
    expect(html).not.toContain("<script>")
    expect(html).not.toContain("<b>")
    expect(html).toContain("&lt;/textarea&gt;&lt;b&gt;x")
    expect(html).toContain('<a href="#f-email">Email</a>: Bitte geben Sie eine gültige E-Mail-Adresse an.')
    expect(html).toMatch(/<input type="email" id="f-email" name="email" required="" aria-describedby="f-email-error" aria-invalid="true" value="a b"/)
    expect(html).toMatch(/<input type="radio" id="f-size-1" name="size" value="large" checked="" required=""/)
    expect(html).toMatch(/id="f-email-error">Bitte/)
  })

  test("a search form has its values in the address, and no token", async () => {
    const Search = form(v.object({ q: v.string(), page: v.optional(v.pipe(v.number(), v.minValue(1)), 1) }))
    const own = new Hono().get("/", async c => {
      const bound = await Search.fromQuery(c)
      return c.html(<FormView form={bound} method="get">{bound.ok ? `for ${bound.values.q} on ${bound.values.page}` : ""}</FormView>)
    })
    const found = await (await own.request("/?q=a%26b&page=&utm=1")).text()
    expect(found).toStartWith('<form method="get" class="edge-form">for a&amp;b on 1')
    const none = await (await own.request("/?utm=1")).text()
    expect(none).not.toContain("form-errors")
    expect(await (await own.request("/?q=&page=0")).text()).toContain("form-errors")
    expect(found + none).not.toContain("_csrf")
  })

  test("more boxes than one looks through are a list with a name and an id of its own", async () => {
    const many = Array.from({ length: 30 }, (_, i) => `c${i}`)
    const Pick = form(v.object({ colours: v.array(v.picklist(many)) }))
    const own = new Hono().get("/", async c => c.html(<FormView form={await Pick.blank(c)} />))
    const html = await (await own.request("/")).text()
    expect(html).toMatch(/<select id="f-colours-list" name="colours"[^>]* aria-label="Colours"/)
    expect(html.match(/id="f-colours"/g)).toHaveLength(1)
  })

  test("GET gives the empty form", async () => {
    const answer = await app.request("/")
    expect(answer.status).toBe(200)
    const html = await answer.text()
    expect(html).not.toContain("aria-invalid")
    expect(html).toContain(">Your name</label>")
  })

  test("the app's own word on language and zone wins", async () => {
    const own = new Hono<{ Variables: { language: string; timeZone: string } }>().post("/", async c => {
      c.set("language", "it")
      c.set("timeZone", "Asia/Tokyo")
      const bound = await Contact.read(c)
      return c.json([bound.errors.name, bound.field("on").value])
    })
    const zoned = form(v.object({ on: v.date() }))
    own.post("/zone", async c => {
      c.set("timeZone", "Asia/Tokyo")
      return c.json((await zoned.read(c)).values)
    })
    const headers = { "accept-language": "de", "content-type": "application/x-www-form-urlencoded" }
    expect(await (await own.request("/", { method: "POST", body: "on=2026-01-01T09:00", headers })).json()).toEqual(["Compila questo campo.", "2026-01-01T09:00"])
    expect(await (await own.request("/zone", { method: "POST", body: "on=2026-01-01T09:00", headers })).json()).toEqual({ on: "2026-01-01T00:00:00.000Z" })
  })

  test("a language or zone that is none does no harm", async () => {
    const own = new Hono<{ Variables: { language: string; timeZone: string } }>().post("/:language", async c => {
      c.set("language", c.req.param("language"))
      c.set("timeZone", "Not/AZone")
      return c.json((await Contact.read(c)).errors.name)
    })
    const say = async (lang: string) => (await own.request(`/${lang}`, { method: "POST", body: new URLSearchParams({ name: "A", on: "2026-01-01T00:00" }) })).json()
    expect([await say("pt_BR"), await say("DE"), await say("x!"), await say("tlh")]).toEqual(["Pelo menos 2 caracteres.", "Bitte mindestens 2 Zeichen.", "Please use at least 2 characters.", "Please use at least 2 characters."] as never)
  })

  test("other types of body are refused", async () => {
    expect((await app.request("/", { method: "POST", body: "{}", headers: { "content-type": "application/json" } })).status).toBe(415)
  })

  test("a field may be drawn by its author", async () => {
    const Own = form(v.object({ a: v.string() }), { fields: { a: { render: field => <b id={field.id}>{field.label}</b> } } })
    expect(await drawn(<FormView form={Own.blank()} submit={null} />)).toBe('<form method="post" class="edge-form"><b id="f-a">A</b></form>')
  })
})
