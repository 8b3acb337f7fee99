/** Through the pages, as browsers do it: what works, and what attackers try. On both databases. */
import { expect, setSystemTime, test } from "bun:test"
import { Secret, TOTP } from "otpauth"
import type { App } from "../app/app.ts"
import { CSRF_FIELD } from "../app/csrf.ts"
import { sessions } from "../app/session-model.ts"
import { text } from "../db/fields.ts"
import { model } from "../db/model.ts"
import { mailerOf } from "../mail/mailer.ts"
import type { Layout } from "../app/render.tsx"
import type { Letter } from "../mail/message.ts"
import { deactivate } from "./accounts.ts"
import { authOf, type UsersOptions } from "./auth.ts"
import { requirePermission, requireStaff, requireUser } from "./guards.ts"
import { Group, Permission, Token, User } from "./models.ts"
import { longEnough, type PasswordRule } from "./password-rules.ts"
import type { Pages } from "./pages/pages.ts"
import { sendResetLink } from "./routes/reset.ts"
import { boot, Browser, formOf, linkIn, logged, makeApp, onBoth, type Open } from "./testdata/bench.ts"
import { SecondFactors } from "./second-factor.ts"
import { LIMITS } from "./throttle.ts"

const Post = model("post", { title: text() })
const GOOD = "mauve otter lantern"
const OTHER = "seven copper umbrellas"
const WRONG = "The e-mail address or the password is not right."

onBoth(suite)

function suite(open: Open): void {
  const start = async (options: UsersOptions = {}, settings: { url?: string } = {}) => {
    const app = makeApp(options, { models: [Post], ...settings }) as App
    app.get("/", c => c.json(c.var.user === null ? null : { email: c.var.user.email }))
    app.get("/mine", requireUser(), c => c.text(`mine: ${c.var.user!.name}`))
    app.get("/staff", requireStaff(), c => c.text("staff"))
    app.get("/posts", requirePermission("change", Post), c => c.text("posts"))
    app.get("/kept", async c => {
      c.var.session.set("kept", "basket")
      return c.text("kept")
    })
    return boot(app, await open())
  }
  const outbox = (app: App): Letter[] => mailerOf(app).outbox
  const make = (app: App, of: { email?: string; name?: string; password?: string; isStaff?: boolean; isSuperuser?: boolean } = {}) =>
    app.run(() => authOf(app).accounts.create({ email: "ann@example.com", name: "Ann", password: GOOD, ...of }))
  const login = (browser: Browser, password = GOOD, email = "ann@example.com", path = "/login") => browser.submit(path, { email, password }, { form: "/login" })
  const whoami = async (browser: Browser) => ((await (await browser.get("/")).json()) as { email: string } | null)?.email

  test("sign-up, by the link in the mail; then logged in, out and in again", async () => {
    await using app = await start()
    const ann = new Browser(app)
    const sent = await ann.submit("/signup", { name: "Ann", email: "Ann@Example.com", password: GOOD })
    expect(sent.status).toBe(200)
    expect(await User.all.count()).toBe(0)
    expect(outbox(app)).toHaveLength(1)
    expect(outbox(app)[0]).toMatchObject({ to: ["ann@example.com"], subject: "Confirm your address for Newsroom" })
    const link = linkIn(outbox(app), "/verify/")
    // A scanner that follows links makes nothing.
    expect((await new Browser(app).get(link)).status).toBe(200)
    expect(await User.all.count()).toBe(0)
    const confirmed = await ann.submit(link, {})
    expect([confirmed.status, confirmed.headers.get("location")]).toEqual([303, "/"])
    expect(await whoami(ann)).toBe("ann@example.com")
    expect(await User.all.get({ email: "ann@example.com" })).toMatchObject({ isStaff: false, isSuperuser: false, isActive: true, emailVerifiedAt: expect.any(Date) })
    expect((await ann.get(link)).status).toBe(410)
    expect((await ann.submit("/logout", {})).headers.get("location")).toBe("/")
    expect(await whoami(ann)).toBeUndefined()
    expect((await login(ann)).status).toBe(303)
    expect(await whoami(ann)).toBe("ann@example.com")
  })

  test("the confirmation in another browser asks for the password that was chosen", async () => {
    await using app = await start()
    // An attacker signs up with the victim's address; the victim gets the mail and clicks.
    await new Browser(app).submit("/signup", { name: "Ann", email: "ann@example.com", password: GOOD })
    const victim = new Browser(app)
    const link = linkIn(outbox(app), "/verify/")
    expect(await (await victim.get(link)).text()).toContain('autocomplete="current-password"')
    expect((await victim.submit(link, { password: OTHER })).status).toBe(422)
    expect(await User.all.count()).toBe(0)
    expect((await victim.submit(link, { password: GOOD })).status).toBe(303)
    expect(await whoami(victim)).toBe("ann@example.com")
  })

  test("sign-up tells nobody who has an account, in words or in work", async () => {
    await using app = await start()
    await make(app)
    const { hashing } = authOf(app).accounts
    const answers: string[] = []
    for (const email of ["ann@example.com", "new@example.com"]) {
      const before = hashing.computed
      const answer = await new Browser(app).submit("/signup", { name: "Ann", email, password: OTHER })
      answers.push(`${answer.status} ${(await answer.text()).replaceAll(email, "EMAIL")} ${hashing.computed - before}`)
    }
    expect(answers[0]!).toBe(answers[1]!)
    expect(outbox(app).map(letter => letter.subject)).toEqual(["You have an account at Newsroom already", "Confirm your address for Newsroom"])
    expect((await login(new Browser(app))).status).toBe(303)
  })

  test("fields that are not in the form change nothing (mass assignment)", async () => {
    await using app = await start()
    const eve = new Browser(app)
    const more = { isStaff: "true", isSuperuser: "true", is_staff: "1", groups: "1", id: "7", emailVerifiedAt: "2020-01-01", isActive: "true" }
    await eve.submit("/signup", { name: "Eve", email: "eve@example.com", password: GOOD, ...more })
    await eve.submit(linkIn(outbox(app), "/verify/"), more)
    await eve.submit("/account", { name: "Eve II", ...more }, { form: "/account/name" })
    expect(await User.all.get({ email: "eve@example.com" })).toMatchObject({ name: "Eve II", isStaff: false, isSuperuser: false })
    expect((await eve.get("/staff")).status).toBe(403)
  })

  test("login answers the same for everybody it refuses", async () => {
    await using app = await start()
    const user = await make(app, { email: "off@example.com" })
    await app.run(() => deactivate(user))
    await make(app)
    const { hashing } = authOf(app).accounts
    for (const [email, password] of [["ann@example.com", OTHER], ["absent@example.com", OTHER], ["off@example.com", GOOD]] as const) {
      const before = hashing.computed
      const answer = await login(new Browser(app), password, email)
      const page = await answer.text()
      expect([email, answer.status, page.includes(WRONG), hashing.computed - before]).toEqual([email, 422, true, 1])
      expect(page).not.toContain(password)
    }
  })

  test("what was typed comes back escaped, the error at its field", async () => {
    await using app = await start()
    const page = await (await login(new Browser(app), "", `"><script>alert(1)</script>`)).text()
    expect(page).not.toContain("<script>alert")
    expect(page).toContain('aria-invalid="true"')
    expect(page).toContain('id="auth-password-wrong"')
    const signup = await (await new Browser(app).submit("/signup", { name: "", email: "nobody", password: GOOD })).text()
    expect(signup).toContain("This is no e-mail address.")
    expect(signup).toContain("This is needed.")
    expect(signup).not.toContain(GOOD)
    const weak = await (await new Browser(app).submit("/signup", { name: "Ann", email: "a@example.com", password: "password12" })).text()
    expect(weak).toContain("Too common")
    expect(outbox(app)).toHaveLength(0)
  })

  test("a login gives a new session id, and keeps what was in the session (fixation)", async () => {
    await using app = await start()
    await make(app)
    const browser = new Browser(app)
    await browser.get("/kept")
    const name = [...browser.jar.keys()].find(key => key.endsWith("session"))!
    const planted = browser.jar.get(name)!
    const thief = new Browser(app)
    thief.jar.set(name, planted)
    await login(browser)
    expect(browser.jar.get(name)).not.toBe(planted)
    expect(await whoami(thief)).toBeUndefined()
    expect((await app.run(() => sessions.all)).map(row => row.data)).toMatchObject([{ kept: "basket" }])
    // An id that the server never gave is not taken up either.
    const made = new Browser(app)
    made.jar.set(name, "A".repeat(32))
    await login(made)
    expect(made.jar.get(name)).not.toBe("A".repeat(32))
  })

  test("a login that was under way when the password changed does not get in", async () => {
    await using app = await start()
    const user = await make(app)
    const { accounts } = authOf(app)
    const { hashing } = accounts
    const verify = hashing.verify.bind(hashing)
    hashing.verify = async (password, hash) => {
      const right = await verify(password, hash)
      hashing.verify = verify
      await accounts.setPassword(user, OTHER)
      return right
    }
    const thief = new Browser(app)
    expect((await login(thief)).status).toBe(422)
    expect(await whoami(thief)).toBeUndefined()
  })

  test("after the logout a copied cookie is worth nothing", async () => {
    await using app = await start()
    await make(app)
    const browser = new Browser(app)
    await login(browser)
    const thief = new Browser(app)
    for (const [name, value] of browser.jar) thief.jar.set(name, value)
    expect(await whoami(thief)).toBe("ann@example.com")
    await browser.submit("/logout", {})
    expect([await whoami(browser), await whoami(thief)]).toEqual([undefined, undefined])
  })

  test("another user's session is not taken over with what is in it", async () => {
    await using app = await start()
    await make(app)
    await make(app, { email: "bob@example.com", name: "Bob" })
    const browser = new Browser(app)
    await login(browser)
    await browser.get("/kept")
    const form = formOf(await (await browser.get("/logout")).text())!
    await browser.post("/login", { [CSRF_FIELD]: form.fields[CSRF_FIELD]!, email: "bob@example.com", password: GOOD })
    expect(await whoami(browser)).toBe("bob@example.com")
    expect(JSON.stringify(await app.run(() => sessions.all.pluck("data")))).not.toContain("basket")
  })

  test("after the login to where one was going, and never to another site", async () => {
    await using app = await start()
    await make(app)
    const browser = new Browser(app)
    const sent = await browser.get("/mine?x=1&y=2")
    expect([sent.status, sent.headers.get("location")]).toEqual([303, "/login?next=%2Fmine%3Fx%3D1%26y%3D2"])
    expect((await login(browser, GOOD, undefined, sent.headers.get("location")!)).headers.get("location")).toBe("/mine?x=1&y=2")
    for (const next of ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)", "/%0d%0aSet-Cookie:x=1", "////evil.example", "https:evil.example", "/.//evil.example"]) {
      const visitor = new Browser(app)
      const page = await visitor.get(`/login?next=${encodeURIComponent(next)}`)
      const { fields } = formOf(await page.text())!
      for (const sentNext of [fields.next!, next]) {
        const location = (await visitor.post("/login", { ...fields, email: "ann@example.com", password: GOOD, next: sentNext })).headers.get("location") ?? "/refused"
        expect([next, new URL(location, "https://news.example").origin]).toEqual([next, "https://news.example"])
        await visitor.submit("/logout", {})
        fields[CSRF_FIELD] = formOf(await (await visitor.get("/login")).text())!.fields[CSRF_FIELD]!
      }
      await login(visitor)
      const seen = (await visitor.get(`/login?next=${encodeURIComponent(next)}`)).headers.get("location")!
      expect([next, new URL(seen, "https://news.example").origin]).toEqual([next, "https://news.example"])
    }
  })

  test("guards: to the login, not allowed, let in; scripts get words they can read", async () => {
    await using app = await start()
    const user = await make(app)
    const browser = new Browser(app)
    expect((await browser.get("/posts", { accept: "application/json" })).status).toBe(401)
    const fragment = await browser.get("/posts", { "hx-request": "true", "hx-current-url": "https://news.example/list?page=2" })
    expect([fragment.status, fragment.headers.get("hx-redirect")]).toEqual([204, "/login?next=%2Flist%3Fpage%3D2"])
    await login(browser)
    expect((await browser.get("/mine")).status).toBe(200)
    expect((await browser.get("/staff")).status).toBe(403)
    expect((await browser.get("/posts")).status).toBe(403)
    await app.run(async () => {
      const permission = await Permission.all.get({ name: "post.change" })
      await User.update(user, { groups: [(await Group.create({ name: "Editors", permissions: [permission.id] })).id] })
    })
    expect((await browser.get("/posts")).status).toBe(200)
    await app.run(() => User.update(user, { isStaff: true }))
    expect((await browser.get("/staff")).status).toBe(200)
  })

  test("who is switched off is out at once", async () => {
    await using app = await start()
    const user = await make(app)
    const browser = new Browser(app)
    await login(browser)
    await app.run(() => User.update(user, { isActive: false }))
    expect(await whoami(browser)).toBeUndefined()
    expect((await browser.get("/mine")).status).toBe(303)
    // The old cookie is worth nothing when the account is switched on again.
    await app.run(() => User.update(user, { isActive: true }))
    expect(await whoami(browser)).toBeUndefined()
  })

  test("brute force: locked for everybody after some tries, also with the right password; the owner unlocks by mail", async () => {
    await using app = await start()
    await make(app)
    const { attempts } = LIMITS.login.account
    for (let i = 0; i < attempts; i++) expect((await login(new Browser(app, { ip: `198.51.100.${i}` }), OTHER)).status).toBe(422)
    const before = authOf(app).accounts.hashing.computed
    const locked = await login(new Browser(app, { ip: "203.0.113.5" }))
    expect(locked.status).toBe(429)
    expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(0)
    expect(authOf(app).accounts.hashing.computed).toBe(before)
    // An account that is not there locks in the same way.
    for (let i = 0; i < attempts; i++) await login(new Browser(app, { ip: `198.51.100.${i}` }), OTHER, "absent@example.com")
    expect((await login(new Browser(app, { ip: "203.0.113.6" }), OTHER, "absent@example.com")).status).toBe(429)
    const owner = new Browser(app, { ip: "203.0.113.7" })
    await owner.submit("/password", { email: "ann@example.com" })
    await owner.submit(linkIn(outbox(app), "/reset/"), { password: OTHER })
    expect((await login(owner, OTHER)).status).toBe(303)
  })

  test("brute force: a browser that has logged in before is not locked out by strangers, and has a limit of its own", async () => {
    await using app = await start()
    await make(app)
    const { attempts } = LIMITS.login.account
    const known = new Browser(app, { ip: "203.0.113.8" })
    await login(known)
    await known.submit("/logout", {})
    for (let i = 0; i <= attempts; i++) await login(new Browser(app, { ip: `198.51.100.${i}` }), OTHER)
    expect((await login(new Browser(app, { ip: "203.0.113.9" }))).status).toBe(429)
    expect((await login(known)).status).toBe(303)
    await known.submit("/logout", {})
    for (let i = 0; i < attempts; i++) expect((await login(known, OTHER)).status).toBe(422)
    expect((await login(known)).status).toBe(429)
    // The mark is of one account, and cannot be made.
    await make(app, { email: "bob@example.com", name: "Bob" })
    const forged = new Browser(app, { ip: "203.0.113.10" })
    const name = [...known.jar.keys()].find(key => key.endsWith("device"))!
    for (let i = 0; i < attempts; i++) {
      forged.jar.set(name, `${known.jar.get(name)!.slice(0, -3)}${100 + i}`)
      await login(forged, OTHER, "bob@example.com")
    }
    forged.jar.set(name, known.jar.get(name)!)
    expect((await login(forged, OTHER, "bob@example.com")).status).toBe(429)
  })

  test("staff without two-step login is sent to set it up, where the app wants it", async () => {
    await using app = await start({ secondFactor: "staff" })
    const user = await make(app, { isStaff: true })
    await make(app, { email: "bob@example.com", name: "Bob" })
    const [staff, bob] = [new Browser(app), new Browser(app)]
    await login(staff)
    await login(bob, GOOD, "bob@example.com")
    expect((await bob.get("/mine")).status).toBe(200)
    expect((await staff.get("/staff")).headers.get("location")).toBe("/account/second-factor")
    expect((await staff.get("/account/second-factor")).status).toBe(200)
    const secret = SecondFactors.newSecret()
    await app.run(() => authOf(app).secondFactors.enable(user, secret, new TOTP({ secret: Secret.fromBase32(secret) }).generate()))
    expect((await staff.get("/staff")).status).toBe(200)
  })

  test("password rules of the app's own, and what they say beforehand", async () => {
    const noMonth: PasswordRule = password => (password.includes("november") ? "No months." : undefined)
    await using app = await start({ passwordRules: [longEnough(14), noMonth] })
    const browser = new Browser(app)
    expect(await (await browser.get("/signup")).text()).toContain("At least 14 characters. Three or four")
    const sent = (password: string) => browser.submit("/signup", { name: "Ann", email: "ann@example.com", password })
    expect(await (await sent("Password2024!")).text()).toContain("Too short: at least 14 characters.")
    expect(await (await sent("november november")).text()).toContain("No months.")
    expect((await sent("Password2024!!")).status).toBe(200)
  })

  test("limits of the app's own", async () => {
    const limit = { attempts: 2, perMs: 60_000 }
    await using app = await start({ limits: { login: { account: limit, address: limit } } })
    const tries: number[] = []
    for (let i = 0; i < 3; i++) tries.push((await login(new Browser(app), OTHER, `u${i}@example.com`)).status)
    expect(tries).toEqual([422, 422, 429])
    expect(() => makeApp({ limits: { mail: { account: limit, address: { attempts: 1, perMs: 90_000_000 } } } })).toThrow("a day at most")
  })

  test("brute force: one address, many accounts; right logins do not count", async () => {
    await using app = await start()
    await make(app)
    const { attempts } = LIMITS.login.address
    const ip = "198.51.100.77"
    for (let i = 0; i < 5; i++) expect((await login(new Browser(app, { ip }))).status).toBe(303)
    const browser = new Browser(app, { ip })
    const { fields } = formOf(await (await browser.get("/login")).text())!
    const spray = (i: number) => browser.post("/login", { ...fields, email: `user${i}@example.com`, password: OTHER })
    const statuses = await Promise.all(Array.from({ length: attempts + 5 }, async (_, i) => (await spray(i)).status))
    expect(statuses.filter(status => status === 422)).toHaveLength(attempts)
    expect(statuses.filter(status => status === 429)).toHaveLength(5)
  })

  test("reset: the link is of the configured site, whatever Host says; once, and only in its hour", async () => {
    await using app = await start()
    const user = await make(app)
    const thief = new Browser(app)
    await login(thief)
    const page = await thief.get("/password")
    const { fields } = formOf(await page.text())!
    await app.fetch(
      new Request("https://evil.example/password", {
        method: "POST",
        body: new URLSearchParams({ ...fields, email: "ann@example.com" }),
        headers: { host: "evil.example", "x-forwarded-host": "evil.example", forwarded: "host=evil.example", origin: "https://evil.example", cookie: [...thief.jar].map(([k, v]) => `${k}=${v}`).join("; ") },
      }),
      { ip: "192.0.2.9", scheme: "https", prefix: "" } as never,
    )
    expect(outbox(app)).toHaveLength(1)
    expect(outbox(app)[0]!.text).toContain("https://news.example/reset/")
    expect(JSON.stringify(outbox(app))).not.toContain("evil")
    const link = linkIn(outbox(app), "/reset/")
    const ann = new Browser(app)
    expect((await ann.submit(link, { password: "password12" })).status).toBe(422)
    expect((await ann.submit(link, { password: OTHER })).headers.get("location")).toBe("/login")
    // A reset logs nobody in, and everybody out.
    expect(await whoami(ann)).toBeUndefined()
    expect(await whoami(thief)).toBeUndefined()
    expect((await ann.get(link)).status).toBe(410)
    expect((await login(ann)).status).toBe(422)
    expect((await login(ann, OTHER)).status).toBe(303)
    expect(outbox(app).at(-1)!.subject).toBe("Your password at Newsroom was changed")
    await ann.submit("/password", { email: "ann@example.com" })
    const late = linkIn(outbox(app), "/reset/")
    try {
      setSystemTime(new Date(Date.now() + 3_600_001))
      expect((await ann.get(late)).status).toBe(410)
    } finally {
      setSystemTime()
    }
    await app.run(() => User.update(user, { isActive: false }))
    expect((await new Browser(app).get(late)).status).toBe(410)
  })

  test("reset: of two posts at once one changes the password", async () => {
    await using app = await start()
    await make(app)
    await new Browser(app).submit("/password", { email: "ann@example.com" })
    const link = linkIn(outbox(app), "/reset/")
    const browsers = [new Browser(app), new Browser(app)]
    const pages = await Promise.all(browsers.map(async browser => formOf(await (await browser.get(link)).text())!))
    const tries = browsers.map(async (browser, i) => (await browser.post(link, { ...pages[i]!.fields, password: [OTHER, "eleven wooden trumpets"][i]! })).status)
    expect((await Promise.all(tries)).toSorted()).toEqual([303, 410])
  })

  test("reset: a link that went to an address which is no longer the account's is dead", async () => {
    await using app = await start()
    const user = await make(app)
    await new Browser(app).submit("/password", { email: "ann@example.com" })
    const link = linkIn(outbox(app), "/reset/")
    await app.run(() => User.update(user, { email: "new@example.com" }))
    expect((await new Browser(app).get(link)).status).toBe(410)
  })

  test("an account without a password: an invitation, good for a week", async () => {
    await using app = await start()
    const user = await app.run(() => authOf(app).accounts.create({ email: "ann@example.com", name: "Ann" }))
    app.get("/invite", async c => {
      await sendResetLink(c, user)
      return c.text("sent")
    })
    const ann = new Browser(app)
    expect((await login(ann)).status).toBe(422)
    await ann.get("/invite")
    expect(outbox(app)[0]!.subject).toBe("Your account at Newsroom")
    const link = linkIn(outbox(app), "/reset/")
    try {
      setSystemTime(new Date(Date.now() + 6 * 86_400_000))
      expect((await ann.submit(link, { password: GOOD })).status).toBe(303)
      expect((await ann.get(link)).status).toBe(410)
      expect((await login(ann)).status).toBe(303)
    } finally {
      setSystemTime()
    }
    expect((await app.run(() => User.get(user.id))).emailVerifiedAt).not.toBeNull()
  })

  test("of two sign-ups with one address the first that is confirmed counts", async () => {
    await using app = await start()
    const [one, two] = [new Browser(app), new Browser(app)]
    await one.submit("/signup", { name: "One", email: "ann@example.com", password: GOOD })
    const first = linkIn(outbox(app), "/verify/")
    await two.submit("/signup", { name: "Two", email: "ann@example.com", password: OTHER })
    const second = linkIn(outbox(app), "/verify/")
    const posts = [await one.fillIn(first, {}), await one.fillIn(first, {}), await two.fillIn(second, {})]
    const statuses = await Promise.all(posts.map(async send => (await send()).status))
    expect(statuses.filter(status => status === 303)).toHaveLength(1)
    expect(await User.all.count()).toBe(1)
  })

  test("pages and mails of the app's own; the built-in ones in its layout", async () => {
    const page: Pages["login"] = ({ email, faults }) => `mine ${email} ${faults[""] ?? ""}` as never
    const layout: Layout = ({ title, children }) => [`[${title}|`, children, "]"] as never
    const mails = { reset: ({ link }: { link: string }) => ({ subject: "Mine", body: `go to ${link}` as never }) }
    const app = makeApp({ pages: { login: page }, mails, layout: "app" }, { layout })
    await using site = await boot(app, await open())
    await make(app)
    const browser = new Browser(site)
    expect(await (await browser.get("/login")).text()).toBe("<!DOCTYPE html>[Log in|mine  ]")
    expect(await (await browser.get("/password")).text()).toStartWith(`<!DOCTYPE html>[Forgot your password?|<div class="auth">`)
    await browser.submit("/password", { email: "ann@example.com" })
    expect(outbox(app)[0]).toMatchObject({ subject: "Mine", text: expect.stringContaining("go to https://news.example/reset/") })
  })

  test("what happens is in the log and told, without what was typed", async () => {
    const events: string[] = []
    await using app = await start({ onEvent: ({ kind, user, ip }) => void events.push(`${kind} ${user === undefined ? "?" : "known"} ${ip}`) })
    await make(app)
    logged.length = 0
    const browser = new Browser(app)
    await login(browser, GOOD, "my secret password")
    await login(browser, OTHER)
    await login(browser)
    await browser.submit("/account", { current: GOOD, password: OTHER }, { form: "/account/password" })
    await browser.submit("/logout", {})
    expect(events).toEqual(["login refused ? 192.0.2.1", "login refused ? 192.0.2.1", "login known 192.0.2.1", "password changed known 192.0.2.1", "logout known 192.0.2.1"])
    expect(logged.map(line => line.message)).toContain("users: login refused")
    expect(JSON.stringify(logged)).not.toMatch(/secret password|ann@example|otter/)
  })

  test("reset tells nobody who has an account; a token of another purpose opens nothing", async () => {
    await using app = await start()
    await make(app)
    const answers: string[] = []
    for (const email of ["ann@example.com", "absent@example.com"]) {
      const answer = await new Browser(app).submit("/password", { email })
      answers.push(`${answer.status} ${(await answer.text()).replaceAll(email, "EMAIL")}`)
    }
    expect(answers[0]!).toBe(answers[1]!)
    expect(outbox(app)).toHaveLength(1)
    const token = linkIn(outbox(app), "/reset/").split("/").at(-1)!
    expect((await new Browser(app).get(`/verify/${token}`)).status).toBe(410)
    expect(JSON.stringify(await app.run(() => Token.all))).not.toContain(token)
  })

  test("mails to one address are few", async () => {
    await using app = await start()
    await make(app)
    const statuses: number[] = []
    for (let i = 0; i < LIMITS.mail.account.attempts + 2; i++) {
      statuses.push((await new Browser(app, { ip: `198.51.100.${i}` }).submit("/password", { email: "ann@example.com" })).status)
    }
    expect(outbox(app)).toHaveLength(LIMITS.mail.account.attempts)
    expect(statuses.slice(-2)).toEqual([429, 429])
  })

  test("without the site's URL no link goes into a mail, but on this machine", async () => {
    await using app = await start({}, { url: undefined as never })
    await make(app)
    logged.length = 0
    expect((await new Browser(app).submit("/password", { email: "ann@example.com" })).status).toBe(500)
    expect(String(logged[0]!.fields!.error)).toContain("SITE_URL")
    expect(outbox(app)).toHaveLength(0)
    expect((await new Browser(app, { origin: "http://127.0.0.1:8080" }).submit("/password", { email: "ann@example.com" })).status).toBe(200)
    expect(outbox(app)[0]!.text).toContain("http://127.0.0.1:8080/reset/")
  })

  test("every form refuses a post without the visitor's token", async () => {
    await using app = await start()
    await make(app)
    const browser = new Browser(app)
    const forms = ["/login", "/signup", "/password", "/verify/x", "/reset/x"]
    const inside = ["/logout", "/login/code", "/account/name", "/account/email", "/account/password", "/account/logins", "/account/second-factor", "/account/second-factor/off", "/account/second-factor/codes", "/email/x"]
    const fields = { email: "ann@example.com", password: GOOD, name: "Mallory", current: GOOD, id: "others", code: "000000" }
    for (const path of forms) expect([path, (await browser.post(path, fields)).status]).toEqual([path, 403])
    await login(browser)
    const { fields: own } = formOf(await (await browser.get("/logout")).text())!
    const stranger = new Browser(app)
    const { fields: theirs } = formOf(await (await stranger.get("/login")).text())!
    for (const path of [...forms, ...inside]) {
      expect([path, (await browser.post(path, fields)).status]).toEqual([path, 403])
      expect([path, (await browser.post(path, { ...fields, [CSRF_FIELD]: theirs[CSRF_FIELD]! })).status]).toEqual([path, 403])
      expect([path, (await browser.post(path, { ...fields, [CSRF_FIELD]: own[CSRF_FIELD]! }, { origin: "https://evil.example" })).status]).toEqual([path, 403])
    }
    expect(await whoami(browser)).toBe("ann@example.com")
    expect((await app.run(() => User.all.first()))!.name).toBe("Ann")
    // A GET logs nobody out.
    await browser.get("/logout")
    expect(await whoami(browser)).toBe("ann@example.com")
  })

  test("a new password: the old one is asked for, other browsers are logged out, this one is not", async () => {
    await using app = await start()
    await make(app)
    const [here, there] = [new Browser(app), new Browser(app)]
    await login(here)
    await login(there)
    await here.submit("/password", { email: "ann@example.com" })
    const link = linkIn(outbox(app), "/reset/")
    const change = (fields: Record<string, string>) => here.submit("/account", fields, { form: "/account/password" })
    expect(await (await change({ current: OTHER, password: OTHER })).text()).toContain("This is not your password.")
    expect(await (await change({ current: GOOD, password: "ann@example" })).text()).toContain("Too much like your name")
    const before = new Map(here.jar)
    expect((await change({ current: GOOD, password: OTHER })).status).toBe(303)
    expect(await whoami(here)).toBe("ann@example.com")
    expect(await whoami(there)).toBeUndefined()
    expect((await here.get(link)).status).toBe(410)
    const copied = new Browser(app)
    for (const [name, value] of before) copied.jar.set(name, value)
    expect(await whoami(copied)).toBeUndefined()
    expect((await login(there, GOOD)).status).toBe(422)
    expect((await login(there, OTHER)).status).toBe(303)
  })

  test("sessions: seen and ended, one's own only", async () => {
    await using app = await start()
    await make(app)
    const bob = await make(app, { email: "bob@example.com", name: "Bob" })
    const [here, phone, bobs] = [new Browser(app), new Browser(app, { agent: "Mozilla/5.0 (iPhone; CPU) Safari/605", ip: "203.0.113.9" }), new Browser(app)]
    await login(here)
    await login(phone)
    await login(bobs, GOOD, "bob@example.com")
    const page = await (await here.get("/account")).text()
    expect(page).toContain("Firefox on Linux")
    expect(page).toContain("Safari on iPhone")
    expect(page).toContain("203.0.113.9")
    expect(page.match(/This one/g)).toHaveLength(1)
    const theirs = (await app.run(() => sessions.where({ subject: `user ${bob.id}` }).pluck("id")))[0]!
    await here.submit("/account", { id: String(theirs) }, { form: "/account/logins" })
    expect(await whoami(bobs)).toBe("bob@example.com")
    await here.submit("/account", {}, { form: "/account/logins" })
    expect(await whoami(phone)).toBeUndefined()
    await login(phone)
    await here.submit("/account", { id: "others" }, { form: "/account/logins" })
    expect([await whoami(here), await whoami(phone), await whoami(bobs)]).toEqual(["ann@example.com", undefined, "bob@example.com"])
  })

  test("a new address counts when its link was opened by who is logged in", async () => {
    await using app = await start()
    await make(app)
    await make(app, { email: "bob@example.com", name: "Bob" })
    const ann = new Browser(app)
    await login(ann)
    const ask = (email: string, current = GOOD) => ann.submit("/account", { email, current }, { form: "/account/email" })
    expect((await ask("new@example.com", OTHER)).status).toBe(422)
    expect((await ask("bob@example.com")).status).toBe(303)
    expect(outbox(app).at(-1)).toMatchObject({ to: [{ address: "bob@example.com" }], subject: "You have an account at Newsroom already" })
    expect((await ask("new@example.com")).status).toBe(303)
    const link = linkIn(outbox(app), "/email/")
    const bob = new Browser(app)
    await login(bob, GOOD, "bob@example.com")
    expect((await bob.get(link)).status).toBe(410)
    expect((await new Browser(app).get(link)).headers.get("location")).toStartWith("/login?next=")
    expect((await ann.submit(link, {})).status).toBe(303)
    expect(await whoami(ann)).toBe("new@example.com")
    expect(outbox(app).at(-1)).toMatchObject({ to: [{ address: "ann@example.com" }], subject: "Your address at Newsroom was changed" })
    expect((await ann.get(link)).status).toBe(410)
  })

  test("second step: set up, asked for, a code once, recovery codes, guessing stopped, off again", async () => {
    await using app = await start()
    await make(app)
    const ann = new Browser(app)
    const at = 1_800_000_000_000
    try {
      setSystemTime(new Date(at))
      await login(ann)
      const page = await (await ann.get("/account/second-factor")).text()
      expect(page).toContain("<svg")
      const totp = new TOTP({ secret: Secret.fromBase32(/auth-secret">([A-Z2-7 ]+)</.exec(page)![1]!.replaceAll(" ", "")) })
      const code = (steps: number) => totp.generate({ timestamp: at + steps * 30_000 })
      const on = (fields: Record<string, string>) => ann.submit("/account/second-factor", fields)
      expect(await (await on({ code: code(0), current: OTHER })).text()).toContain("This is not your password.")
      expect(await (await on({ code: code(7), current: GOOD })).text()).toContain("This code is not right.")
      const codes = [...(await (await on({ code: code(0), current: GOOD })).text()).matchAll(/<li>([a-z2-7-]{19})<\/li>/g)].map(match => match[1]!)
      expect(codes).toHaveLength(10)
      const second = new Browser(app)
      const first = await login(second, GOOD, "ann@example.com", "/login?next=/mine")
      expect(first.headers.get("location")).toBe("/login/code")
      expect(await whoami(second)).toBeUndefined()
      expect((await second.get("/mine")).status).toBe(303)
      // The code that switched it on is used up; the next one is good for one of two at once.
      expect((await second.submit("/login/code", { code: code(0) })).status).toBe(422)
      const third = new Browser(app)
      await login(third)
      const posts = [await second.fillIn("/login/code", { code: code(1) }), await third.fillIn("/login/code", { code: code(1) })]
      const both = await Promise.all(posts.map(async send => (await send()).status))
      expect(both.toSorted()).toEqual([303, 422])
      const lost = new Browser(app)
      await login(lost)
      expect((await lost.submit("/login/code", { code: codes[0]! })).status).toBe(303)
      expect(await whoami(lost)).toBe("ann@example.com")
      const fourth = new Browser(app)
      await login(fourth)
      expect((await fourth.submit("/login/code", { code: codes[0]! })).status).toBe(422)
      // No more than a few guesses, from anywhere; the page of the code is left after five minutes.
      const guesses: number[] = []
      for (let i = 0; i < LIMITS.code.account.attempts + 2; i++) {
        const eve = new Browser(app, { ip: `198.51.100.${i}` })
        await login(eve)
        guesses.push((await eve.submit("/login/code", { code: "000000" })).status)
      }
      expect(guesses.at(-1)).toBe(429)
      expect((await lost.submit("/account", { current: GOOD }, { form: "/second-factor/off" })).status).toBe(303)
      expect((await login(new Browser(app, { ip: "203.0.113.44" }))).headers.get("location")).toBe("/")
    } finally {
      setSystemTime()
    }
  })

  test("a password changed between the two steps ends the first", async () => {
    await using app = await start()
    const user = await make(app)
    const { secondFactors, accounts } = authOf(app)
    const secret = Secret.fromBase32("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    const totp = new TOTP({ secret })
    const codes = (await app.run(() => secondFactors.enable(user, secret.base32, totp.generate())))!
    const thief = new Browser(app)
    await login(thief)
    const { fields, action } = formOf(await (await thief.get("/login/code")).text())!
    await app.run(() => accounts.setPassword(user, OTHER))
    expect((await thief.post(action, { ...fields, code: codes[0]! })).headers.get("location")).toBe("/login")
    expect(await whoami(thief)).toBeUndefined()
    expect(await app.run(() => secondFactors.recoveryCodesLeft(user))).toBe(10)
  })

  test("pages are kept by no cache, and stand under a prefix of the app's choice", async () => {
    await using app = await start({ at: "/auth", signup: false })
    await make(app)
    const browser = new Browser(app)
    const page = await browser.get("/auth/login")
    expect(page.headers.get("cache-control")).toContain("no-store")
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'")
    expect(await page.text()).not.toContain("signup")
    expect((await browser.get("/auth/signup")).status).toBe(404)
    expect((await browser.get("/mine")).headers.get("location")).toBe("/auth/login?next=%2Fmine")
    expect((await browser.submit("/auth/login", { email: "ann@example.com", password: GOOD })).status).toBe(303)
    expect((await browser.get("/auth/account")).status).toBe(200)
  })

  test("large bodies and uploads are refused, also with a good token", async () => {
    await using app = await start()
    const browser = new Browser(app)
    const { fields } = formOf(await (await browser.get("/login")).text())!
    const large = await browser.post("/login", { email: "x".repeat(3_000_000) }, { "x-csrf-token": fields[CSRF_FIELD]! })
    expect(large.status).toBe(413)
    const body = new FormData()
    body.append(CSRF_FIELD, fields[CSRF_FIELD]!)
    body.append("email", new Blob(["x"]), "x.bin")
    expect((await browser.ask("/login", { method: "POST", body, headers: { origin: browser.origin } })).status).toBe(415)
  })

  test("caches are told which pages depend on who is logged in", async () => {
    await using app = await start()
    await make(app)
    app.get("/public", c => c.text("for all", 200, { "Cache-Control": "public, max-age=60" }))
    app.get("/greeting", c => c.text(`hello ${c.var.user?.name ?? "you"}`, 200, { "Cache-Control": "public, max-age=60" }))
    const told = async (browser: Browser, path: string) => {
      const { headers } = await browser.get(path)
      return [headers.get("vary"), headers.get("cache-control")]
    }
    const browser = new Browser(app)
    expect(await told(browser, "/public")).toEqual([null, "public, max-age=60"])
    expect(await told(browser, "/greeting")).toEqual(["Cookie", "public, max-age=60"])
    await login(browser)
    expect(await told(browser, "/mine")).toEqual(["Cookie", "private, no-cache"])
  })

  test("a session that was ended elsewhere is not brought back by a request under way", async () => {
    await using app = await start()
    const user = await make(app)
    let letGo = () => {}
    const held = new Promise<void>(resolve => (letGo = resolve))
    let reached = () => {}
    const arrived = new Promise<void>(resolve => (reached = resolve))
    app.get("/slow", async c => {
      reached()
      await held
      c.var.session.set("kept", 1)
      return c.text("slow")
    })
    const browser = new Browser(app)
    await login(browser)
    const slow = browser.get("/slow")
    await arrived
    await app.run(() => authOf(app).accounts.setPassword(user, OTHER))
    letGo()
    await slow
    expect(await whoami(browser)).toBeUndefined()
  })
}
