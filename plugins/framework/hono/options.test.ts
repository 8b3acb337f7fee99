/** Options that nobody knows, at every door of edge/*: an error that names the right word, and never silence. */
import { expect, test } from "bun:test"
import { admin, modelAdmin } from "./admin/module.ts"
import { App } from "./app-module.ts"
import { users } from "./auth/module.ts"
import * as db from "./db/module.ts"
import { files, LocalFiles, S3Files } from "./files/module.ts"
import { form, formset } from "./forms/module.ts"
import { mail } from "./mail/module.ts"
import { open, start, travel } from "./test/module.ts"

const Post = db.model("post", { title: db.text() })
const app = () => new App({ models: [Post] })
const context = { req: { method: "GET" }, get: () => undefined } as never

/** What is called with one wrong word, "zz", in the place of an option. */
const DOORS: Record<string, (wrong: any) => unknown> = {
  ...Object.fromEntries((["text", "markdown", "slug", "email", "url", "integer", "number", "decimal", "boolean", "date", "datetime", "json", "uuid", "file", "image"] as const).map(kind => [kind, (wrong: never) => (db[kind] as (options: never) => unknown)(wrong)])),
  choice: wrong => db.choice(["a"], wrong),
  references: wrong => db.references(Post, wrong),
  many: wrong => db.many(Post, wrong),
  model: wrong => db.model("x", {}, wrong),
  "an index of a model": wrong => db.model("x", { a: db.text() }, { indexes: [{ fields: ["a"], ...wrong }] }),
  "new Database": wrong => new db.Database("sqlite::memory:", wrong),
  page: wrong => Post.all.page({ size: 1, ...wrong }),
  "new App": wrong => new App(wrong),
  session: wrong => new App({ session: wrong }),
  security: wrong => new App({ security: wrong }),
  command: wrong => app().command({ name: "x", help: "x", run: async () => {}, ...wrong }),
  feed: wrong => app().feed("/feed.xml", { title: "x", items: () => [], ...wrong }),
  sitemap: wrong => app().sitemap("/sitemap.xml", {}, wrong),
  robots: wrong => app().robots(wrong),
  users: wrong => users(wrong),
  "users, hashing": wrong => users({ hashing: wrong }),
  "users, limits": wrong => users({ limits: wrong }),
  "users, a limit": wrong => users({ limits: { login: wrong } }),
  "users, pages": wrong => users({ pages: wrong }),
  "users, mails": wrong => users({ mails: wrong }),
  admin: wrong => admin(wrong),
  "admin, a model": wrong => admin({ models: { post: wrong } }),
  "admin, a panel": wrong => admin({ panels: [{ title: "x", render: () => "x", ...wrong }] }),
  "admin, a page": wrong => admin({ pages: [{ path: "x", title: "x", render: () => "x", ...wrong }] }),
  modelAdmin: wrong => modelAdmin(Post, wrong),
  "modelAdmin, can": wrong => modelAdmin(Post, { can: wrong }),
  "modelAdmin, a column": wrong => modelAdmin(Post, { list: [{ label: "x", cell: () => "x", ...wrong }] }),
  "modelAdmin, a fieldset": wrong => modelAdmin(Post, { fieldsets: [{ fields: ["title"], ...wrong }] }),
  "modelAdmin, an inline": wrong => modelAdmin(Post, { inlines: [{ model: Post, ...wrong }] }),
  "modelAdmin, an action": wrong => modelAdmin(Post, { actions: { x: { label: "x", run: () => {}, ...wrong } } }),
  form: wrong => form(Post, wrong),
  "form, limits": wrong => form(Post, { limits: wrong }),
  "form, a field": wrong => form(Post, { fields: { title: wrong } }),
  handle: wrong => form(Post).handle(context, wrong),
  blank: wrong => form(Post).blank(undefined, wrong),
  formset: wrong => formset(form(Post), { prefix: "a", ...wrong }),
  LocalFiles: wrong => new LocalFiles({ dir: "/tmp", ...wrong }),
  "files().url": wrong => new LocalFiles({ dir: "/tmp" }).url("x", wrong),
  "files().put": wrong => new LocalFiles({ dir: "/tmp" }).put(new Uint8Array(1), wrong),
  S3Files: wrong => new S3Files({ bucket: "x", ...wrong }),
  start: wrong => start("site.toml", wrong),
  open: wrong => open(app(), wrong),
  travel: wrong => {
    using time = travel()
    time.forward(wrong)
  },
}

test.each(Object.entries(DOORS))("%s", async (_, door) => {
  const said = await (async () => door({ zz: 1 }))().then(() => "taken in silence", (error: Error) => [error.name, error.message])
  expect(said).toEqual(["TypeError", expect.stringContaining('unknown option "zz"')])
})

test("mails and visitors' options, in a running app", async () => {
  const running = app()
  running.get("/", c => c.text("x"))
  await using site = await open(running)
  await expect(mail.send({ to: "a@example.com", subject: "x", text: "x", repplyTo: "b@example.com" } as never)).rejects.toThrow('mail.send(): unknown option "repplyTo"; did you mean "replyTo"?')
  await expect(mail.use({ ulr: "memory:" } as never)).rejects.toThrow('did you mean "url"')
  await expect(site.get("/", { headrs: {} } as never)).rejects.toThrow('did you mean "headers"')
  expect(files()).toBeDefined()
})

test("the nearest right word, and values of another kind", () => {
  expect(() => db.text({ mx: 80 } as never)).toThrow('text(): unknown option "mx"; did you mean "max"?')
  expect(() => db.text({ max: "80" } as never)).toThrow('text(): option "max" must be a number, not a text')
  expect(() => db.references(Post, { ondelete: "cascade" } as never)).toThrow('did you mean "onDelete"?')
  expect(() => db.text({ optional: "yes" } as never)).toThrow("must be true or false")
  expect(() => db.model("x", { a: "text" } as never)).toThrow('field "a" is no field')
  expect(() => new App({ parts: [{ name: "x" }] } as never)).toThrow("a part is")
})
