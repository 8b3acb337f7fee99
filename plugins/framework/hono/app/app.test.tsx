import { afterEach, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Logger } from "edge"
import { HTTPException } from "hono/http-exception"
import * as v from "valibot"
import { Database } from "../db/database.ts"
import { text } from "../db/fields.ts"
import { createTables } from "../db/migrate/create.ts"
import { model } from "../db/model.ts"
import { type AnyApp, App, type AppSettings } from "./app.ts"
import { asset } from "./current.ts"
import { CsrfField, Flash } from "./elements.tsx"
import { sessions } from "./session-model.ts"
import { endSessionsOf } from "./session.ts"

const Post = model("post", { title: text({ max: 50 }) })

const logged: { message: string; fields?: Record<string, unknown> }[] = []
const note = (message: string, fields?: Record<string, unknown>): void => void logged.push({ message, ...(fields && { fields }) })
const log: Logger = { debug() {}, info() {}, warn: note, error: note, with: () => log }

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const f of undo.splice(0).toReversed()) await f()
  logged.length = 0
})

async function started<A extends AnyApp>(app: A, options: { dev?: boolean; env?: Record<string, string> } = {}): Promise<A> {
  const dir = mkdtempSync(join(tmpdir(), "edge-app-"))
  const database = new Database("sqlite::memory:")
  await createTables(database, app.models)
  await app.boot({ dir, name: "blog", env: { ...options.env }, dev: options.dev ?? false, log, database })
  undo.push(() => rmSync(dir, { recursive: true }), () => app.shutdown())
  return app
}

const make = (settings: AppSettings = {}): App => new App({ models: [Post], ...settings })

/** Keeps cookies, as a browser does. */
function browser(app: AnyApp, origin = "http://localhost") {
  const jar = new Map<string, string>()
  const ask = async (path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await app.request(`${origin}${path}`, { ...init, headers: { ...(cookie !== "" && { cookie }), ...init.headers } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line)!
      if (value === "" || line.includes("Max-Age=0")) jar.delete(name)
      else jar.set(name, value)
    }
    return response
  }
  const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> =>
    ask(path, { method: "POST", body: new URLSearchParams(fields), headers: { origin, ...headers } })
  return { jar, ask, form }
}

describe("session", () => {
  const counting = () =>
    make()
      .get("/plain", c => c.text("plain"))
      .get("/read", async c => c.json((await c.var.session.get("n")) ?? null))
      .get("/count", async c => {
        const n = ((await c.var.session.get<number>("n")) ?? 0) + 1
        c.var.session.set("n", n)
        return c.json(n)
      })
      .get("/login", c => {
        c.var.session.rotate()
        c.var.session.belongsTo("user 7")
        return c.text("in")
      })
      .get("/who", async c => c.json(await c.var.session.subject()))
      .get("/logout", c => {
        c.var.session.end()
        return c.text("out")
      })
      .get("/fails", c => {
        c.var.session.set("n", 100)
        throw new Error("halfway")
      }) as unknown as App

  test("no cookie and no row until something is kept", async () => {
    const app = await started(counting())
    const { ask, jar } = browser(app)
    await ask("/plain")
    expect(await (await ask("/read")).json()).toBeNull()
    expect(jar.size).toBe(0)
    expect(await app.run(() => sessions.all.count())).toBe(0)
    const response = await ask("/count")
    expect(response.headers.get("set-cookie")).toMatch(/^session=[\w-]{32}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=1209600$/)
    expect(response.headers.get("cache-control")).toBe("private, no-cache")
    expect(await (await ask("/count")).json()).toBe(2)
    expect(await (await ask("/read")).json()).toBe(2)
  })

  test("caches: a page that asked for the session is not another visitor's", async () => {
    const app = await started(counting())
    const { ask } = browser(app)
    expect((await ask("/plain")).headers.get("vary")).toBeNull()
    const anonymous = (await ask("/read")).headers
    expect([anonymous.get("vary"), anonymous.get("cache-control")]).toEqual(["Cookie", null])
    await ask("/count")
    const mine = (await ask("/read")).headers
    expect([mine.get("vary"), mine.get("cache-control")]).toEqual(["Cookie", "private, no-cache"])
  })

  test("over https the cookie is Secure and bound to the host", async () => {
    const app = await started(counting())
    const response = await browser(app, "https://example.com").ask("/count")
    expect(response.headers.get("set-cookie")).toMatch(/^__Host-session=.*; Secure$/)
  })

  test("the table has no id that would be taken for a cookie", async () => {
    const app = await started(counting())
    const { ask, jar } = browser(app)
    await ask("/count")
    const [row] = await app.run(() => sessions.all)
    expect(row!.key).not.toContain(jar.get("session")!)
    expect(await (await ask("/read", { headers: { cookie: `session=${row!.key}` } })).json()).toBeNull()
  })

  test("an id that we did not give out is not taken up, and a login changes the id (fixation)", async () => {
    const app = await started(counting())
    const { ask, jar } = browser(app)
    const planted = "A".repeat(32)
    jar.set("session", planted)
    await ask("/count")
    expect(jar.get("session")).not.toBe(planted)
    const before = jar.get("session")!
    await ask("/login")
    expect(jar.get("session")).not.toBe(before)
    expect(await (await ask("/count")).json()).toBe(2)
    expect(await (await ask("/who")).json()).toBe("user 7")
    expect(await (await browser(app).ask("/read", { headers: { cookie: `session=${before}` } })).json()).toBeNull()
  })

  test("end: the row and the cookie are gone; so is every session of a person", async () => {
    const app = await started(counting())
    const one = browser(app)
    await one.ask("/count")
    const id = one.jar.get("session")!
    await one.ask("/logout")
    expect(one.jar.has("session")).toBe(false)
    expect(await (await one.ask("/read", { headers: { cookie: `session=${id}` } })).json()).toBeNull()
    const [two, three] = [browser(app), browser(app)]
    await two.ask("/login")
    await three.ask("/login")
    expect(await app.run(() => endSessionsOf("user 7", { except: three.jar.get("session")! }))).toBe(1)
    expect(await (await two.ask("/who")).json()).toBeNull()
    expect(await (await three.ask("/who")).json()).toBe("user 7")
  })

  test("two requests at once do not undo each other", async () => {
    const gate = Promise.withResolvers<void>()
    const app = await started(
      make()
        .get("/a", c => {
          c.var.session.set("a", 1)
          return c.text("")
        })
        .get("/b", async c => {
          await c.var.session.get("b")
          await gate.promise
          c.var.session.set("b", 2)
          return c.text("")
        })
        .get("/both", async c => c.json([await c.var.session.get("a"), await c.var.session.get("b")])) as unknown as App,
    )
    const { ask } = browser(app)
    await ask("/a")
    const slow = ask("/b")
    await ask("/a")
    gate.resolve()
    await slow
    expect(await (await ask("/both")).json()).toEqual([1, 2])
  })

  test("what failed halfway is not kept; an expired session is none", async () => {
    const app = await started(counting())
    const { ask } = browser(app)
    await ask("/count")
    expect((await ask("/fails")).status).toBe(500)
    expect(await (await ask("/read")).json()).toBe(1)
    await app.run(() => sessions.all.update({ expiresAt: new Date(Date.now() - 1) }))
    expect(await (await ask("/read")).json()).toBeNull()
  })

  test("a session in use lasts on", async () => {
    const app = await started(counting())
    const { ask } = browser(app)
    await ask("/count")
    expect((await ask("/read")).headers.get("set-cookie")).toBeNull()
    await app.run(() => sessions.all.update({ expiresAt: new Date(Date.now() + 86_400_000) }))
    expect((await ask("/read")).headers.get("set-cookie")).toContain("Max-Age=1209600")
    const [row] = await app.run(() => sessions.all)
    expect(row!.expiresAt.getTime()).toBeGreaterThan(Date.now() + 13 * 86_400_000)
  })
})

describe("messages", () => {
  test("outlive a redirect, are shown once and escaped", async () => {
    const app = await started(
      make()
        .get("/save", c => {
          c.var.messages.success("Saved <b>")
          return c.redirect("/")
        })
        .get("/now", c => {
          c.var.messages.error("Here")
          return c.render(<Flash />)
        })
        .get("/", c => c.render(<main><Flash /></main>)) as unknown as App,
    )
    const { ask } = browser(app)
    await ask("/save")
    expect(await (await ask("/")).text()).toContain('<li class="message message-success">Saved &lt;b&gt;</li>')
    expect(await (await ask("/")).text()).not.toContain("Saved")
    expect(await (await ask("/now")).text()).toContain("Here")
    expect(await (await ask("/")).text()).not.toContain("Here")
  })
})

describe("requests that change something", () => {
  const posting = (settings?: AppSettings) =>
    make(settings)
      .get("/form", c => c.render(<form><CsrfField /></form>))
      .post("/post", async c => c.json(await c.req.parseBody()))
      .post("/raw", async c => c.text(await c.req.text()))
      .post("/hooks/pay", c => c.text("paid"))
      .put("/json", async c => c.json(await c.req.json())) as unknown as App

  const tokenOf = async (response: Response) => /name="_csrf" value="([^"]+)"/.exec(await response.text())![1]!

  test("a form with the visitor's token, in the body or the header", async () => {
    const { ask, form } = browser(await started(posting()))
    const token = await tokenOf(await ask("/form"))
    expect(await (await form("/post", { _csrf: token, a: "1" })).json()).toEqual({ _csrf: token, a: "1" })
    expect(await (await form("/raw", { a: "1", _csrf: token })).text()).toBe(`a=1&_csrf=${token}`)
    expect((await form("/post", { a: "1" }, { "X-CSRF-Token": token })).status).toBe(200)
    const again = await tokenOf(await ask("/form"))
    expect(again).not.toBe(token)
    expect((await form("/post", { _csrf: token })).status).toBe(200)
  })

  test("an upload with the token as its first field; its bytes arrive whole", async () => {
    const app = await started(posting().post("/up", async c => c.json(((await c.req.formData()).get("file") as File).size)) as unknown as App)
    const { ask } = browser(app)
    const token = await tokenOf(await ask("/form"))
    const upload = (first: [string, string][]) => {
      const body = new FormData()
      for (const [name, value] of first) body.append(name, value)
      body.append("file", new Blob([new Uint8Array(300_000)]), "x.bin")
      return ask("/up", { method: "POST", body, headers: { origin: "http://localhost" } })
    }
    expect(await (await upload([["_csrf", token]])).json()).toBe(300_000)
    expect((await upload([])).status).toBe(403)
    expect((await upload([["_csrf", `${token}x`]])).status).toBe(403)
    expect((await upload([["a", "1"], ["_csrf", token]])).status).toBe(403)
  })

  test("no token, a forged one, one of another visitor", async () => {
    const app = await started(posting())
    const { ask, form } = browser(app)
    const other = browser(app)
    await ask("/form")
    const token = await tokenOf(await other.ask("/form"))
    expect((await form("/post", {})).status).toBe(403)
    expect((await form("/post", { _csrf: token })).status).toBe(403)
    expect((await form("/post", { _csrf: "A".repeat(12) + "." + "B".repeat(43) })).status).toBe(403)
    expect((await browser(app).form("/post", { _csrf: token })).status).toBe(403)
  })

  test.each<[string, Record<string, string>]>([
    ["another origin", { origin: "https://evil.example" }],
    ["no origin at all (a sandboxed frame)", { origin: "null" }],
    ["the same host over http", { origin: "http://example.com" }],
    ["another port", { origin: "https://example.com:8443" }],
    ["another site, as the browser says", { origin: "https://example.com", "sec-fetch-site": "cross-site" }],
    ["another host of the domain", { origin: "https://example.com", "sec-fetch-site": "same-site" }],
  ])("from %s: refused, also with a token and as JSON", async (_, headers) => {
    const { ask, form } = browser(await started(posting()), "https://example.com")
    const token = await tokenOf(await ask("/form"))
    expect((await form("/post", { _csrf: token }, headers)).status).toBe(403)
    const put = await ask("/json", { method: "PUT", body: "{}", headers: { "content-type": "application/json", ...headers } })
    expect(put.status).toBe(403)
    expect((await form("/post", { _csrf: token })).status).toBe(200)
  })

  test("JSON: from here or from a program, not from another site", async () => {
    const { ask } = browser(await started(posting()))
    const put = (headers: Record<string, string>) => ask("/json", { method: "PUT", body: '{"a":1}', headers: { "content-type": "application/json", ...headers } })
    expect(await (await put({ origin: "http://localhost" })).json()).toEqual({ a: 1 })
    expect((await put({})).status).toBe(200)
    expect((await put({ origin: "https://evil.example" })).status).toBe(403)
    expect((await put({ "sec-fetch-site": "cross-site" })).status).toBe(403)
    expect((await put({ "content-type": "text/plain" })).status).toBe(403)
  })

  test("a form without files is held in memory up to a bound", async () => {
    const { ask } = browser(await started(posting()))
    const token = await tokenOf(await ask("/form"))
    const body = `_csrf=${token}&a=${"x".repeat(2_700_000)}`
    const headers = { origin: "http://localhost", "content-type": "application/x-www-form-urlencoded" }
    expect((await ask("/post", { method: "POST", body, headers: { ...headers, "content-length": String(body.length) } })).status).toBe(413)
    let sent = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536
        controller.enqueue(new Uint8Array(65_536).fill(120))
      },
    })
    expect((await ask("/post", { method: "POST", body: endless, headers, duplex: "half" } as never)).status).toBe(413)
    expect(sent).toBeLessThan(4_000_000)
  })

  test("the site's own URL, behind a proxy that is not trusted", async () => {
    const app = await started(posting(), { env: { SITE_URL: "https://example.com/" } })
    const { ask, form } = browser(app, "http://10.0.0.7:8080")
    const token = await tokenOf(await ask("/form"))
    expect((await form("/post", { _csrf: token }, { origin: "https://example.com", "sec-fetch-site": "same-origin" })).status).toBe(200)
    expect((await form("/post", { _csrf: token }, { origin: "https://example.com.evil.example" })).status).toBe(403)
  })

  test("exempt paths and trusted origins", async () => {
    const app = await started(posting({ security: { trustedOrigins: ["https://admin.example"] } }).csrfExempt("/hooks/*"))
    const { ask, form } = browser(app)
    expect((await form("/hooks/pay", {}, { origin: "https://bank.example" })).status).toBe(200)
    const token = await tokenOf(await ask("/form"))
    expect((await form("/post", { _csrf: token }, { origin: "https://admin.example", "sec-fetch-site": "cross-site" })).status).toBe(200)
  })
})

describe("pages", () => {
  const Layout: AppSettings["layout"] = ({ title, children }) => (
    <html>
      <head>
        <title>{title}</title>
      </head>
      <body>{children}</body>
    </html>
  )

  test("in the layout; the fragment alone for htmx", async () => {
    const app = await started(make({ layout: Layout }).get("/", c => c.render(<p>{"<hi>"}</p>, { title: "T" })) as unknown as App)
    const whole = await app.request("/")
    expect(await whole.text()).toBe("<!DOCTYPE html><html><head><title>T</title></head><body><p>&lt;hi&gt;</p></body></html>")
    expect(whole.headers.get("vary")).toBe("HX-Request")
    expect(await (await app.request("/", { headers: { "HX-Request": "true" } })).text()).toBe("<p>&lt;hi&gt;</p>")
    expect(await (await app.request("/", { headers: { "HX-Request": "true", "HX-Boosted": "true" } })).text()).toStartWith("<!DOCTYPE")
  })

  test("headers that protect; the handler's own win", async () => {
    const app = await started(
      make()
        .get("/", c => c.render(<p>x</p>))
        .get("/nonce", c => c.render(<script nonce={c.var.nonce}>1</script>))
        .get("/own", c => c.html("<p>x</p>", 200, { "Content-Security-Policy": "default-src *" })) as unknown as App,
    )
    const { headers } = await app.request("https://example.com/")
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    expect(headers.get("x-frame-options")).toBe("DENY")
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("referrer-policy")).toBe("same-origin")
    expect(headers.get("strict-transport-security")).toBe("max-age=31536000")
    expect((await app.request("http://example.com/")).headers.get("strict-transport-security")).toBeNull()
    const page = await app.request("/nonce")
    const nonce = /nonce="([^"]+)"/.exec(await page.text())![1]!
    expect(page.headers.get("content-security-policy")).toContain(`script-src 'self' 'nonce-${nonce}'`)
    expect((await app.request("/own")).headers.get("content-security-policy")).toBe("default-src *")
  })

  test("static files: a new content is a new URL; nothing outside the folder", async () => {
    const app = await started(make().get("/", c => c.render(<link href={asset("a/style.css")} />)) as unknown as App)
    const { dir } = app.booted
    mkdirSync(join(dir, "static", "a"), { recursive: true })
    writeFileSync(join(dir, "static", "a", "style.css"), "p{}")
    writeFileSync(join(dir, "static", ".hidden"), "h")
    writeFileSync(join(dir, "secret.txt"), "s")
    symlinkSync(join(dir, "secret.txt"), join(dir, "static", "link.txt"))
    const url = /href="([^"]+)"/.exec(await (await app.request("/")).text())![1]!
    expect(url).toMatch(/^\/static\/a\/style\.[\da-f]{10}\.css$/)
    const hit = await app.request(url)
    expect(await hit.text()).toBe("p{}")
    expect(hit.headers.get("cache-control")).toBe("public, max-age=31536000, immutable")
    expect(hit.headers.get("content-type")).toStartWith("text/css")
    expect((await app.request(url, { headers: { "if-none-match": hit.headers.get("etag")! } })).status).toBe(304)
    expect((await app.request("/static/a/style.css")).headers.get("cache-control")).toBe("no-cache")
    expect((await app.request("/static/a/style.0000000000.css")).headers.get("cache-control")).toBe("no-cache")
    for (const path of ["/static/.hidden", "/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static/..%2fsecret.txt", "/static/link.txt", "/static/a", "/static/%00", "/static//a/style.css"]) {
      expect((await app.request(path)).status).toBe(404)
    }
  })
})

describe("errors", () => {
  const failing = () =>
    make()
      .get("/boom", async () => {
        await Post.where({ title: "x" }).first()
        throw new Error("boom <x>")
      })
      .get("/none", async c => c.json(await Post.get(1)))
      .get("/teapot", () => {
        throw new HTTPException(403, { message: "Not you" })
      })
      .post("/new", async c => c.json(await Post.create({ title: "x".repeat(51) }))) as unknown as App

  test("in production nothing leaks, and it is in the log", async () => {
    const app = await started(failing())
    const response = await app.request("/boom")
    const page = await response.text()
    expect(response.status).toBe(500)
    expect(page).not.toContain("boom")
    expect(page).not.toContain("app.test")
    expect(logged).toHaveLength(1)
    expect(logged[0]!.fields).toMatchObject({ method: "GET", path: "/boom" })
    expect((await app.request("/none")).status).toBe(404)
    expect((await app.request("/nowhere")).status).toBe(404)
    expect(await (await app.request("/teapot")).text()).toContain("Not you")
    const json = await app.request("/new", { method: "POST", headers: { accept: "application/json", "content-type": "application/json" } })
    expect(json.status).toBe(422)
    expect(Object.keys(((await json.json()) as { issues: object }).issues)).toEqual(["title"])
  })

  test("in dev: the message, the request and the SQL; cookies are not shown", async () => {
    const app = await started(failing(), { dev: true })
    const page = await (await app.request("/boom", { headers: { cookie: "session=topsecret", "x-mine": "<i>" } })).text()
    expect(page).toContain("boom &lt;x&gt;")
    expect(page).toContain("x-mine")
    expect(page).toContain("&lt;i&gt;")
    expect(page).not.toContain("topsecret")
  })
})

describe("start", () => {
  test("the secret: made once with 0600, SECRET_KEY wins, a short one is refused", async () => {
    const app = await started(make())
    const file = join(app.booted.dir, ".secret")
    const first = app.signer.sign("x", "hello", 1000)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, "utf8").trim().length).toBeGreaterThan(40)
    expect(app.signer.unsign("x", first)).toBe("hello")
    expect(app.signer.unsign("y", first)).toBeUndefined()
    expect(app.signer.unsign("x", `${first}x`)).toBeUndefined()
    expect(app.signer.unsign("x", app.signer.sign("x", "old", -1))).toBeUndefined()
    await expect(started(make(), { env: { SECRET_KEY: "short" } })).rejects.toThrow("needs 16 or more")
    expect((await started(make(), { env: { SECRET_KEY: "0123456789abcdef" } })).secretSource).toBe("environment")
  })

  test("settings are typed and told all at once", async () => {
    const schema = v.object({ PORT_X: v.pipe(v.string(), v.toNumber()), KEY_X: v.string() })
    const app = await started(new App({ settings: schema }), { env: { PORT_X: "7", KEY_X: "k" } })
    const port: number = app.settings.PORT_X
    expect(port).toBe(7)
    await expect(started(new App({ settings: schema }))).rejects.toThrow(/PORT_X: .*\n.*KEY_X: /)
  })

  test("parts add routes before the app's; hooks run in order; commands once", async () => {
    const calls: string[] = []
    const app = new App({
      parts: [
        {
          name: "one",
          setup: app => {
            app.use(async (c, next) => {
              c.set("user" as never, "ann" as never)
              await next()
            })
            app.onBoot(() => void calls.push("boot")).onShutdown(() => void calls.push("down"))
            app.command({ name: "hello", help: "says hello", run: () => {} })
          },
        },
      ],
    })
    app.get("/", c => c.text(String((c.var as unknown as { user: string }).user)))
    await started(app)
    expect(await (await app.request("/")).text()).toBe("ann")
    expect(() => app.command({ name: "hello", help: "", run: () => {} })).toThrow('two commands "hello"')
    await app.shutdown()
    expect(calls).toEqual(["boot", "down"])
  })

  test("two apps in one process: each has its own database", async () => {
    const named = () => make().get("/", async c => c.json(await Post.all.pluck("title"))) as unknown as App
    const one = await started(named())
    const two = await started(named())
    await one.run(() => Post.create({ title: "one" }))
    await two.run(() => Post.create({ title: "two" }))
    expect(await (await one.request("/")).json()).toEqual(["one"])
    expect(await (await two.request("/")).json()).toEqual(["two"])
    await two.shutdown()
    expect(await (await one.request("/")).json()).toEqual(["one"])
  })
})

test("a wrong option of an app is an error that names the right one", () => {
  expect(() => new App({ modls: [Post] } as AppSettings)).toThrow('new App(): unknown option "modls"; did you mean "models"?')
  expect(() => new App({ zzzzzzzz: 1 } as AppSettings)).toThrow("allowed: name, models, parts,")
})
