/** Users through the executable, as visitors meet them: several workers, one database, real sockets. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Secret, TOTP } from "otpauth"
import { executable } from "../build.ts"
import { Edge } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { Postgres } from "../kit/postgres.ts"

setDefaultTimeout(90_000)
beforeAll(executable, 120_000)

const app = `import { App } from "edge/app"
import { model, text } from "edge/db"
import { can, requirePermission, requireStaff, requireUser, users } from "edge/auth"
const Post = model("post", { title: text({ max: 10 }) })
const app = new App({ name: "Newsroom", models: [Post], parts: [users({ hashing: { memoryCost: 64, timeCost: 1 } })] })
app.get("/", c => c.json({ user: c.var.user?.email ?? null, pid: process.pid }))
app.get("/mine", requireUser(), c => c.text("mine"))
app.get("/staff", requireStaff(), c => c.text("staff"))
app.get("/posts", requirePermission("change", Post), async c => c.json(await can(c.var.user, "delete", Post)))
export default app
`
const GOOD = "mauve otter lantern"
const OTHER = "seven copper umbrellas"

interface Setup {
  readonly database?: string
}
function config({ database }: Setup): string {
  const env = `env = { MAIL_URL = "file:mails"${database === undefined ? "" : `, DATABASE_URL = "${database}"`} }`
  return `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "news"\n[app.news]\nentry = "app.tsx"\nworkers = 2\nconcurrency = 2\n${env}\n`
}

/** An empty folder with app.tsx, its tables made and a superuser in it, served by two workers. */
async function served(setup: Setup): Promise<Edge> {
  const first = await Edge.launch({ config: config(setup), files: { "app.tsx": app }, args: ["manage", "news", "makemigrations"] })
  expect(await first.exited).toBe(0)
  expect((await first.command("manage", "news", "migrate")).code).toBe(0)
  const root = ["manage", "news", "createsuperuser", "--email", "root@example.com", "--name", "Root"]
  expect((await first.command(...root)).err).toContain("EDGE_PASSWORD")
  expect(await (await Edge.again(first.dir, { args: root, env: { EDGE_PASSWORD: GOOD } })).exited).toBe(0)
  const edge = await Edge.again(first.dir)
  await edge.heard(/INFO {2}serving generation=1/)
  return edge
}

/** Keeps cookies and sends forms with what the page put into them. */
class Browser {
  readonly jar = new Map<string, string>()
  constructor(readonly edge: Edge) {}

  async ask(path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await fetch(this.edge.url(path), { redirect: "manual", ...init, headers: { ...(cookie !== "" && { cookie }), ...init.headers } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line)!
      if (value === "" || line.includes("Max-Age=0")) this.jar.delete(name)
      else this.jar.set(name, value)
    }
    return response
  }

  async token(path: string): Promise<string> {
    const page = await (await this.ask(path)).text()
    return /name="_csrf" value="([^"]+)"/.exec(page)![1]!
  }
  async post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    const origin = new URL(this.edge.url("/")).origin
    return this.ask(path, { method: "POST", body: new URLSearchParams({ _csrf: await this.token(path), ...fields }), headers: { origin, ...headers } })
  }
  login(password = GOOD, email = "root@example.com"): Promise<Response> {
    return this.post("/login", { email, password })
  }
  async who(): Promise<string | null> {
    return ((await (await this.ask("/")).json()) as { user: string | null }).user
  }
}

/** The link to `path` in the newest mail that has one; mails are written after the answer. */
async function mailed(edge: Edge, path: string): Promise<string> {
  for (;;) {
    let names: string[] = []
    try {
      names = readdirSync(join(edge.dir, "mails")).toSorted().toReversed()
    } catch {
      // No mail yet.
    }
    for (const name of names) {
      const text = readFileSync(join(edge.dir, "mails", name), "utf8").replaceAll("=\n", "").replaceAll("=3D", "=")
      const found = new RegExp(`http://[^\\s"]+(${path}/[\\w-]{43})`).exec(text)
      if (found !== null) return found[1]!
    }
    await Bun.sleep(50)
  }
}

function suite(setup: () => Promise<Setup>): void {
  test("sign-up, login, guards, reset, second step, on two workers that agree", async () => {
    await using edge = await served(await setup())
    const ann = new Browser(edge)
    expect((await ann.ask("/mine")).headers.get("location")).toBe("/login?next=%2Fmine")
    const signup = { name: "Ann", email: "Ann@Example.com", password: GOOD, isStaff: "true", isSuperuser: "true" }
    expect((await ann.post("/signup", signup)).status).toBe(200)
    expect((await ann.post(await mailed(edge, "/verify"), {})).status).toBe(303)
    expect(await ann.who()).toBe("ann@example.com")
    expect([(await ann.ask("/mine")).status, (await ann.ask("/staff")).status, (await ann.ask("/posts")).status]).toEqual([200, 403, 403])
    const root = new Browser(edge)
    expect((await root.login()).status).toBe(303)
    expect([(await root.ask("/staff")).status, await (await root.ask("/posts")).text()]).toEqual([200, "true"])
    const seen = await Promise.all(Array.from({ length: 24 }, async () => (await (await root.ask("/")).json()) as { user: string; pid: number }))
    expect(new Set(seen.map(answer => answer.user))).toEqual(new Set(["root@example.com"]))
    expect(new Set(seen.map(answer => answer.pid)).size).toBe(2)

    // Logged in, a new id; the planted one is nobody's.
    const planted = new Browser(edge)
    await planted.post("/signup", { name: "Eve", email: "eve@example.com", password: GOOD })
    const before = planted.jar.get("session")!
    await planted.login()
    const thief = new Browser(edge)
    thief.jar.set("session", before)
    expect([await planted.who(), await thief.who()]).toEqual(["root@example.com", null])

    // A foreign Host is no link of ours; only this machine may do without a configured URL.
    const poisoned = await ann.post("/password", { email: "ann@example.com" }, { host: "evil.example", origin: "http://evil.example" })
    expect(poisoned.status).toBe(500)
    const visitor = new Browser(edge)
    expect((await visitor.post("/password", { email: "ann@example.com" })).status).toBe(200)
    const link = await mailed(edge, "/reset")
    const tokens = await Promise.all([1, 2, 3, 4].map(async () => {
      const browser = new Browser(edge)
      return { browser, _csrf: await browser.token(link) }
    }))
    const origin = new URL(edge.url("/")).origin
    const resets = tokens.map(async ({ browser, _csrf }) => (await browser.ask(link, { method: "POST", body: new URLSearchParams({ _csrf, password: OTHER }), headers: { origin } })).status)
    expect((await Promise.all(resets)).toSorted()).toEqual([303, 410, 410, 410])
    expect(await ann.who()).toBeNull()
    expect((await ann.login(GOOD, "ann@example.com")).status).toBe(422)
    expect((await ann.login(OTHER, "ann@example.com")).headers.get("location")).toBe("/")

    // The second step: its code once, whichever worker is asked.
    const setup2 = await (await root.ask("/account/second-factor")).text()
    const secret = Secret.fromBase32(/auth-secret">([A-Z2-7 ]+)</.exec(setup2)![1]!.replaceAll(" ", ""))
    const totp = new TOTP({ secret })
    expect(await (await root.post("/account/second-factor", { code: totp.generate(), current: GOOD })).text()).toContain("Save these codes")
    const many = await Promise.all([1, 2, 3, 4].map(async () => {
      const browser = new Browser(edge)
      expect((await browser.login()).headers.get("location")).toBe("/login/code")
      return { browser, _csrf: await browser.token("/login/code") }
    }))
    // The code that switched it on is used up; the next one is good already.
    const code = totp.generate({ timestamp: Date.now() + 30_000 })
    const codes = many.map(async ({ browser, _csrf }) => (await browser.ask("/login/code", { method: "POST", body: new URLSearchParams({ _csrf, code }), headers: { origin } })).status)
    expect((await Promise.all(codes)).toSorted()).toEqual([303, 422, 422, 422])
  })

  test("an address of an internationalised domain signs up once, however it is typed, and gets its mail", async () => {
    await using edge = await served(await setup())
    const igor = new Browser(edge)
    expect((await igor.post("/signup", { name: "Игорь", email: "Info@Почта.рф", password: GOOD })).status).toBe(200)
    expect((await igor.post(await mailed(edge, "/verify"), {})).status).toBe(303)
    expect(await igor.who()).toBe("info@xn--80a1acny.xn--p1ai")
    const mails = readdirSync(join(edge.dir, "mails")).map(name => readFileSync(join(edge.dir, "mails", name), "utf8"))
    expect(mails.filter(text => /^To: info@xn--80a1acny\.xn--p1ai$/m.test(text))).toHaveLength(1)
    for (const email of ["info@почта.рф", "info@xn--80a1acny.xn--p1ai"]) {
      const again = new Browser(edge)
      expect((await again.login(GOOD, email)).status).toBe(303)
      expect(await again.who()).toBe("info@xn--80a1acny.xn--p1ai")
    }
    expect((await new Browser(edge).post("/signup", { name: "x", email: "почта@почта.рф", password: GOOD })).status).toBe(422)
  })

  test("brute force on all workers at once gets no more tries than the limit; unlock lets in", async () => {
    await using edge = await served(await setup())
    const origin = new URL(edge.url("/")).origin
    const browser = new Browser(edge)
    const token = await browser.token("/login")
    const guess = (i: number) => browser.ask("/login", { method: "POST", body: new URLSearchParams({ _csrf: token, email: "root@example.com", password: `wrong password ${i}` }), headers: { origin } })
    const statuses = await Promise.all(Array.from({ length: 30 }, async (_, i) => (await guess(i)).status))
    expect([statuses.filter(status => status === 422).length, statuses.filter(status => status === 429).length]).toEqual([10, 20])
    const locked = await new Browser(edge).login()
    expect([locked.status, Number(locked.headers.get("retry-after")) > 0]).toEqual([429, true])
    expect((await edge.command("manage", "news", "unlock", "root@example.com")).out).toContain("may log in again")
    expect((await new Browser(edge).login()).status).toBe(303)
    const check = await edge.command("manage", "news", "check", "--deploy")
    expect(check.out).toContain("staff with a password alone: root@example.com")
    expect(check.out).toContain("less than the recommended cost")
    expect((await edge.command("manage", "news", "unlock", "rot@example.com")).err).toContain("there is no user rot@example.com")
  })
}

describe("on SQLite", () => suite(async () => ({})))
describeWith(["postgresql"], "on PostgreSQL", () => {
  let server: Postgres
  beforeAll(async () => {
    server = await Postgres.start()
  }, 60_000)
  afterAll(() => server[Symbol.asyncDispose]())
  suite(async () => ({ database: await server.database("news") }))
})
