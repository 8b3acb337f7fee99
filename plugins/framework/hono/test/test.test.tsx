import { describe, expect, test } from "bun:test"
import { App } from "../app/app.ts"
import { CsrfField, Flash } from "../app/elements.tsx"
import { clientIp } from "../app/request.ts"
import { datetime, file, references, text } from "../db/fields.ts"
import { model } from "../db/model.ts"
import { form, FormView } from "../forms/module.ts"
import { mail } from "../mail/module.ts"
import { factory } from "./factory.ts"
import { open } from "./site.ts"
import { travel } from "./travel.ts"

const Author = model("author", { name: text() })
const Post = model("post", { title: text({ max: 10 }), author: references(Author), at: datetime({ default: () => new Date() }) })

const app = new App({ models: [Author, Post] })
app.get("/", async c => c.render(<ul>{(await Post.order("id")).map(post => <li class="post">{post.title} &amp; <b>more</b></li>)}</ul>))
app.get("/new", c =>
  c.render(
    <form method="post" action="/posts">
      <CsrfField />
      <input name="title" value={'a "title"'} />
      <textarea name="body">{"<x> & y"}</textarea>
      <input type="checkbox" name="draft" checked />
      <input type="checkbox" name="pinned" />
      <select name="lang">
        <option value="de">de</option>
        <option value="en" selected>en</option>
      </select>
      <select name="none">
        <option value="first">1</option>
        <option value="second">2</option>
      </select>
      <button name="go" value="x">Go</button>
    </form>,
  ),
)
app.post("/posts", async c => {
  c.var.messages.success("Posted")
  c.var.session.set("last", await c.req.parseBody())
  return c.redirect("/done")
})
app.get("/done", async c => c.render(<div><Flash /><pre>{JSON.stringify(await c.var.session.get("last"))}</pre></div>))
app.post("/up", async c => c.json({ size: ((await c.req.parseBody()).file as File).size }))
app.post("/api", async c => c.json(await c.req.json()))
app.get("/me", async c => c.json(await c.var.session.subject()))
app.get("/later", c => {
  c.executionCtx.waitUntil(Bun.sleep(5).then(() => mail.send({ to: "ann@example.com", subject: "Later", text: clientIp(c) })))
  return c.text("soon")
})
app.get("/round", c => c.redirect("/round"))
app.get("/boom", () => {
  throw new Error("boom")
})

describe("a test's site", () => {
  test("has a database of its own, which models in the test ask too", async () => {
    for (const title of ["one", "two"]) {
      await using site = await open(app)
      const author = await Author.create({ name: "Ann" })
      await Post.create({ title, author })
      expect((await site.get("/")).find("li.post")).toEqual([`${title} & more`])
    }
  })

  test("forms: filled in as the page says, sent with the token, messages after the redirect", async () => {
    await using site = await open(app)
    const page = await site.get("/new")
    const done = await site.submit(page, { title: "New", pinned: true }, { follow: true })
    expect(done.find(".message")).toEqual(["Posted"])
    const { _csrf, ...sent } = JSON.parse(done.find("pre")[0]!) as Record<string, string>
    expect(sent).toEqual({ title: "New", body: "<x> & y", draft: "on", pinned: "on", lang: "en", none: "first" })
    expect(_csrf).toBeString()
    expect(() => site.submit(page, { nope: "x" })).toThrow('the form has no field "nope"; it has _csrf, title, body, draft, pinned, lang, none, go')
    expect(JSON.parse((await site.submit(page, { draft: false }, { follow: true })).find("pre")[0]!)).not.toHaveProperty("draft")
  })

  test("posts carry the token; what is sent as it is does not", async () => {
    await using site = await open(app)
    expect((await site.post("/posts", { a: 1 })).location).toBe("/done")
    expect((await site.send("/posts", { method: "POST", body: new URLSearchParams({ a: "1" }) })).status).toBe(403)
    expect((await site.post("/up", { file: new Blob(["12345"]) })).json()).toEqual({ size: 5 })
    expect((await site.post("/up", { file: [new Blob(["123"])] })).json()).toEqual({ size: 3 })
    expect((await site.json("POST", "/api", { a: 1 })).json()).toEqual({ a: 1 })
  })

  test("a Blob and a File in a form of uploads arrive as files, one or several", async () => {
    const Paper = model("paper", { doc: file({ optional: true }) })
    const PaperForm = form(Paper)
    const uploads = new App({ models: [Paper] })
    uploads.all("/", async c => {
      const bound = await PaperForm.handle(c)
      if (await bound.save()) return c.redirect("/done", 303)
      c.status(bound.status)
      return c.render(<FormView form={bound} />)
    })
    uploads.get("/plain", c => c.render(<form method="post"><input name="doc" type="file" /></form>))
    await using site = await open(uploads)
    for (const doc of [new Blob(["hello"], { type: "text/plain" }), new File(["hello"], "a.txt", { type: "text/plain" })]) {
      expect((await site.submit(await site.get("/"), { doc })).location).toBe("/done")
    }
    const keys = await Paper.all.pluck("doc")
    expect(keys).toHaveLength(2)
    for (const key of keys) expect(await new Response((await uploads.files.open(key!))!.slice(0, 5)).text()).toBe("hello")
    const plain = await site.get("/plain")
    expect(() => site.submit(plain, { doc: new Blob(["x"]) })).toThrow("enctype")
  })

  test("visitors have their own cookies; login is without the page", async () => {
    await using site = await open(app)
    const other = site.visitor()
    await site.login({ id: 7 })
    expect((await site.get("/me")).json()).toBe("user 7")
    expect((await other.get("/me")).json()).toBeNull()
    expect((await site.logout().get("/me")).json()).toBeNull()
  })

  test("what a handler throws is thrown into the test, unless it is wanted as a page", async () => {
    await using site = await open(app)
    await expect(site.get("/boom")).rejects.toThrow("boom")
    await expect(site.get("/round", { follow: true })).rejects.toThrow("in a circle")
    await site[Symbol.asyncDispose]()
    await using lax = await open(app, { strict: false })
    expect((await lax.get("/boom")).status).toBe(500)
    expect(lax.logged.map(line => line.message)).toEqual(["the app failed"])
  })

  test("mails are kept, those of after the answer too; the machine's own settings are not seen", async () => {
    process.env.SITE_URL = "https://real.example"
    await using site = await open(app)
    delete process.env.SITE_URL
    const other = site.visitor()
    other.ip = "2001:db8::1"
    await other.get("/later")
    expect(site.outbox.map(({ subject, text }) => [subject, text.trim()])).toEqual([["Later", "2001:db8::1"]])
    expect(app.siteUrl).toBeUndefined()
  })

  test("time travel: sessions end, defaults are of then, and the block's end comes back", async () => {
    await using site = await open(app)
    await site.login({ id: 1 })
    const before = Date.now()
    {
      using journey = travel()
      journey.forward({ days: 13 })
      expect((await site.get("/me")).json()).toBe("user 1")
      journey.forward({ days: 15 })
      expect((await site.get("/me")).json()).toBeNull()
      journey.to("2030-01-01T00:00:00Z")
      const author = await Author.create({ name: "x" })
      expect((await Post.create({ title: "t", author })).at.getUTCFullYear()).toBe(2030)
      expect(new Date(0).getTime()).toBe(0)
      expect(new Date() instanceof Date).toBe(true)
    }
    expect(Math.abs(Date.now() - before)).toBeLessThan(3_600_000)
  })

  test("factories make rows, with the rows they need", async () => {
    await using site = await open(app)
    const authors = factory(Author, n => ({ name: `Author ${n}` }))
    const posts = factory(Post, n => ({ title: `Post ${n}`, author: authors }))
    const [first] = await posts.many(3)
    const named = await posts({ title: "Mine" })
    expect(site.logged).toEqual([])
    expect([first!.title, named.title, await Post.all.count(), await Author.all.count()]).toEqual(["Post 1", "Mine", 4, 4])
  })
})
