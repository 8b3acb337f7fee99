/** Accounts, permissions, throttle, tokens and second factor, below the pages; on both databases. */
import { expect, setSystemTime, test } from "bun:test"
import { Secret, TOTP } from "otpauth"
import { sessions } from "../app/session-model.ts"
import { text } from "../db/fields.ts"
import { model } from "../db/model.ts"
import { authOf } from "./auth.ts"
import { deactivate } from "./accounts.ts"
import { createsuperuser, unlock } from "./commands.ts"
import { Hashing } from "./hashing.ts"
import { Group, Password, Permission, SecondFactor, Throttle, Token, User } from "./models.ts"
import { can, hasPermission, policy, syncPermissions } from "./permissions.ts"
import { SecondFactors } from "./second-factor.ts"
import { boot, makeApp, onBoth, type Open } from "./testdata/bench.ts"
import { attempt, forgive, isLocked, LIMITS, sweep } from "./throttle.ts"
import { issue, peek, redeem, revokeTokens } from "./tokens.ts"

const Post = model("post", { title: text(), owner: text({ default: "" }) })
const Note = model("note", { title: text() })
const GOOD = "mauve otter lantern"
const ann = { email: "ann@example.com", name: "Ann" }

onBoth(suite)

function suite(open: Open): void {
  const start = async () => boot(makeApp({ permissions: { "newsletter.send": "Can send the newsletter" } }, { models: [Post, Note] }), await open())

  /** For what needs the tables and no more. */
  const bare = (f: () => Promise<void>) => async () => {
    await using app = await start()
    await app.run(f)
  }

  test("a user, found by any spelling of the address, once", async () => {
    await using app = await start()
    const { accounts } = authOf(app)
    const user = await accounts.create({ email: " Ann@Example.COM ", name: "Ann", password: GOOD })
    expect(user).toMatchObject({ email: "ann@example.com", isActive: true, isStaff: false, isSuperuser: false, lastLogin: null })
    expect(Object.keys(user)).not.toContain("password")
    expect((await accounts.verify("ANN@example.com", GOOD))?.id).toBe(user.id)
    expect(await accounts.verify("ann@example.com", "mauve otter lanterN")).toBeNull()
    await expect(accounts.create({ email: "ANN@EXAMPLE.com", name: "Other", password: GOOD })).rejects.toThrow("email: There is one")
    await expect(accounts.create({ email: "no address", name: "Other", password: GOOD })).rejects.toThrow("email")
    await expect(accounts.create({ email: "b@example.com", name: "Bob", password: "12345678901" })).rejects.toThrow("password: Too common")
    expect(await User.all.count()).toBe(1)
  })

  test("whoever is asked about, one hash is computed", async () => {
    await using app = await start()
    const { accounts } = authOf(app)
    await accounts.create({ ...ann, password: GOOD })
    await accounts.create({ email: "off@example.com", name: "Off", password: GOOD, isActive: false })
    await accounts.create({ email: "none@example.com", name: "None" })
    for (const email of ["ann@example.com", "off@example.com", "none@example.com", "absent@example.com"]) {
      const before = accounts.hashing.computed
      expect(await accounts.verify(email, "wrong password here")).toBeNull()
      expect([email, accounts.hashing.computed - before]).toEqual([email, 1])
    }
    expect(await accounts.verify("off@example.com", GOOD)).toBeNull()
  })

  test("a hash of older parameters is made anew at the login", async () => {
    await using app = await start()
    const { accounts } = authOf(app)
    const user = await accounts.create({ ...ann, password: GOOD })
    await Password.where({ user: { id: user.id } }).update({ hash: await new Hashing({ memoryCost: 128, timeCost: 1 }).hash(GOOD) })
    expect((await accounts.verify(ann.email, GOOD))?.id).toBe(user.id)
    const [kept] = await Password.where({ user: { id: user.id } })
    expect(accounts.hashing.isOld(kept!.hash)).toBe(false)
    expect((await accounts.verify(ann.email, GOOD))?.id).toBe(user.id)
  })

  test("a new password ends sessions, links and the lock; leaving switches all off", async () => {
    await using app = await start()
    const { accounts } = authOf(app)
    const user = await accounts.create({ ...ann, password: GOOD })
    const other = await accounts.create({ email: "bob@example.com", name: "Bob", password: GOOD })
    const expiresAt = new Date(Date.now() + 1e6)
    const session = (key: string, id: number) => sessions.create({ key, data: {}, subject: `user ${id}`, expiresAt })
    await session("a", user.id)
    await session("b", other.id)
    const link = await issue("reset", { user: user.id, email: user.email })
    for (let i = 0; i < 12; i++) await attempt("login", { account: user.email, address: `10.0.0.${i}` })
    expect(await isLocked(user.email)).toBe(true)
    await accounts.setPassword(user, "another otter lantern")
    expect(await sessions.all.pluck("key")).toEqual(["b"])
    expect(await redeem("reset", link)).toBeNull()
    expect(await isLocked(user.email)).toBe(false)
    expect(await accounts.verify(user.email, GOOD)).toBeNull()
    expect((await accounts.verify(user.email, "another otter lantern"))?.id).toBe(user.id)
    await deactivate(other)
    expect(await sessions.all.count()).toBe(0)
    expect(await accounts.verify(other.email, GOOD)).toBeNull()
  })

  test("permissions come from the models, by user and by group", async () => {
    await using app = await start()
    const names = await Permission.all.pluck("name")
    expect(names).toContain("post.change")
    expect(names).toContain("user.delete")
    expect(names).toContain("newsletter.send")
    expect(names.filter(name => /^(throttle|authToken|password|secondFactor|recoveryCode)\./.test(name))).toEqual([])
    expect(await syncPermissions(app.models)).toBe(0)
    // Two workers that start at once.
    await Permission.all.delete()
    await Promise.all([syncPermissions(app.models), syncPermissions(app.models)])
    expect(await Permission.where({ name: "post.change" }).count()).toBe(1)
  })

  test("who may do what", async () => {
    await using app = await start()
    const { accounts } = authOf(app)
    const permission = async (name: string) => (await Permission.all.get({ name })).id
    const user = await accounts.create(ann)
    expect(await can(user, "view", Post)).toBe(false)
    expect(await can(null, "view", Post)).toBe(false)
    const group = await Group.create({ name: "Editors", permissions: [await permission("post.change"), await permission("newsletter.send")] })
    await User.update(user, { groups: [group.id], permissions: [await permission("post.view")] })
    const member = await User.get(user.id)
    expect(await can(member, "view", Post)).toBe(true)
    expect(await can(member, "change", Post)).toBe(true)
    expect(await can(member, "delete", Post)).toBe(false)
    expect(await can(member, "change", Note)).toBe(false)
    expect(await hasPermission(member, "newsletter.send")).toBe(true)
    expect(await can({ ...member, isActive: false }, "view", Post)).toBe(false)
    expect(await can({ ...member, isActive: false, isSuperuser: true }, "view", Post)).toBe(false)
    expect(await can({ ...user, isSuperuser: true }, "delete", Note)).toBe(true)
  })

  test("a policy decides by row, and leaves the rest to permissions", async () => {
    await using app = await start()
    const Diary = model("diary", { owner: text() })
    policy(Diary, (user, action, row) => {
      if (action === "view" && row?.owner === "everybody") return true
      if (row !== undefined && user !== null && row.owner === user.email) return true
      return action === "delete" ? false : undefined
    })
    const user = await authOf(app).accounts.create(ann)
    const row = (owner: string) => ({ id: 1, owner })
    expect(await can(user, "change", Diary, row(ann.email))).toBe(true)
    expect(await can(user, "change", Diary, row("bob@example.com"))).toBe(false)
    expect(await can(user, "delete", Diary)).toBe(false)
    expect(await can(null, "view", Diary, row("everybody"))).toBe(true)
    expect(await can(null, "view", Diary, row("bob@example.com"))).toBe(false)
    expect(await can({ ...user, isSuperuser: true }, "delete", Diary)).toBe(true)
  })

  test("throttle: by account from anywhere, by address for any account, over after a while", bare(async () => {
    const { attempts, perMs } = LIMITS.login.account
    for (let i = 0; i < attempts; i++) expect(await attempt("login", { account: "a@x.org", address: `10.0.1.${i}` })).toBe(0)
    const wait = await attempt("login", { account: "a@x.org", address: "10.0.2.1" })
    expect(wait).toBeGreaterThan(perMs / 1000 - 60)
    expect(await attempt("login", { account: "b@x.org", address: "10.0.2.1" })).toBe(0)
    await forgive("a@x.org")
    expect(await attempt("login", { account: "a@x.org", address: "10.0.2.2" })).toBe(0)
    const { attempts: most } = LIMITS.login.address
    const from = async (address: string, i: number) => attempt("login", { account: `u${i}@x.org`, address })
    for (let i = 0; i < most; i++) expect(await from(`2001:db8:0:7:${i}::1`, i)).toBe(0)
    expect(await from("2001:db8::7:ffff:1:2:3", 999)).toBeGreaterThan(0)
    expect(await from("2001:db8:0:8::1", 999)).toBe(0)
    try {
      setSystemTime(new Date(Date.now() + perMs + 1000))
      expect(await from("2001:db8::7:ffff:1:2:3", 1000)).toBe(0)
    } finally {
      setSystemTime()
    }
  }))

  test("throttle: of many at once no more than the limit get through", bare(async () => {
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => attempt("login", { account: "a@x.org", address: `10.1.0.${i}` })))
    expect(all.filter(wait => wait === 0)).toHaveLength(LIMITS.login.account.attempts)
  }))

  test("throttle: the table is bounded", bare(async () => {
    const now = Date.now()
    await Throttle.createMany(Array.from({ length: 300 }, (_, i) => ({ key: `k${i}`, count: 1, since: now - i })))
    await sweep(100)
    expect(await Throttle.all.count()).toBe(100)
    expect(await Throttle.order("-since").limit(1).pluck("key")).toEqual(["k0"])
    await Throttle.all.update({ since: now - 90_000_000 })
    await sweep()
    expect(await Throttle.all.count()).toBe(0)
  }))

  test("tokens: once, in time, for their purpose, only as hashes in the table", bare(async () => {
    const token = await issue("reset", { email: "a@x.org" })
    expect(JSON.stringify(await Token.all)).not.toContain(token)
    expect(await peek("reset", token)).not.toBeNull()
    expect(await redeem("signup", token)).toBeNull()
    const all = await Promise.all(Array.from({ length: 8 }, () => redeem("reset", token)))
    expect(all.filter(row => row !== null)).toHaveLength(1)
    expect(await peek("reset", token)).toBeNull()
    const late = await issue("reset", { email: "a@x.org" })
    try {
      setSystemTime(new Date(Date.now() + 3_600_001))
      expect(await peek("reset", late)).toBeNull()
      expect(await redeem("reset", late)).toBeNull()
    } finally {
      setSystemTime()
    }
    await revokeTokens(1)
  }))

  test("second factor: a time step once, neighbours in order, recovery codes once", async () => {
    await using app = await start()
    const { accounts, secondFactors } = authOf(app)
    const user = await accounts.create(ann)
    const other = await accounts.create({ email: "bob@example.com", name: "Bob" })
    const secret = SecondFactors.newSecret()
    const at = 1_800_000_000_000
    const code = (offset: number) => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at + offset * 30_000 })
    try {
      setSystemTime(new Date(at))
      expect(await secondFactors.enable(user, secret, "000000")).toBeUndefined()
      expect(await secondFactors.isOn(user)).toBe(false)
      const codes = (await secondFactors.enable(user, secret, code(-1)))!
      expect(codes).toHaveLength(10)
      expect(new Set(codes).size).toBe(10)
      expect(codes[0]).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/)
      expect(JSON.stringify(await SecondFactor.all)).not.toContain(secret)
      // The one that switched it on is used up.
      expect(await secondFactors.verify(user, code(-1))).toBeUndefined()
      const many = await Promise.all(Array.from({ length: 6 }, () => secondFactors.verify(user, code(0))))
      expect(many.filter(how => how === "app")).toHaveLength(1)
      expect(await secondFactors.verify(user, code(5))).toBeUndefined()
      expect(await secondFactors.verify(other, code(1))).toBeUndefined()
      expect(await secondFactors.verify(user, code(1))).toBe("app")
      expect(await secondFactors.verify(user, code(0))).toBeUndefined()
      expect(await secondFactors.verify(other, codes[0]!)).toBeUndefined()
      const used = await Promise.all(Array.from({ length: 6 }, () => secondFactors.verify(user, codes[0]!.toUpperCase())))
      expect(used.filter(how => how === "recovery")).toHaveLength(1)
      expect(await secondFactors.recoveryCodesLeft(user)).toBe(9)
      // Moved to another row, or read with another secret, the sealed secret opens nothing.
      const [row] = await SecondFactor.all
      expect(secondFactors.box.open(row!.secret, String(user.id))).toBe(secret)
      expect(secondFactors.box.open(row!.secret, String(other.id))).toBeUndefined()
      await secondFactors.disable(user)
      expect(await secondFactors.recoveryCodesLeft(user)).toBe(0)
    } finally {
      setSystemTime()
    }
  })

  test("unlock: the lock is lifted, and with --second-factor that too", async () => {
    await using app = await start()
    const { accounts, secondFactors } = authOf(app)
    const user = await accounts.create(ann)
    const secret = SecondFactors.newSecret()
    await secondFactors.enable(user, secret, new TOTP({ secret: Secret.fromBase32(secret) }).generate())
    for (let i = 0; i < 12; i++) await attempt("login", { account: ann.email, address: `10.0.0.${i}` })
    const said = console.log
    try {
      console.log = () => {}
      await unlock.run(["Ann@example.com"], app)
      expect([await isLocked(ann.email), await secondFactors.isOn(user)]).toEqual([false, true])
      await unlock.run(["ann@example.com", "--second-factor"], app)
      expect(await secondFactors.isOn(user)).toBe(false)
      await expect(unlock.run(["an@example.com"], app) as Promise<unknown>).rejects.toThrow("there is ann@example.com")
    } finally {
      console.log = said
    }
  })

  test("createsuperuser", async () => {
    await using app = await start()
    const said = console.log
    const before = process.env.EDGE_PASSWORD
    try {
      console.log = () => {}
      process.env.EDGE_PASSWORD = "password12"
      await expect(createsuperuser.run(["--email", "root@example.com"], app) as Promise<unknown>).rejects.toThrow("password: Too common")
      process.env.EDGE_PASSWORD = GOOD
      await createsuperuser.run(["--email", "Root@example.com", "--name", "Root"], app)
      await expect(createsuperuser.run(["--email", "root@example.com"], app) as Promise<unknown>).rejects.toThrow("there is a user")
    } finally {
      console.log = said
      if (before === undefined) delete process.env.EDGE_PASSWORD
      else process.env.EDGE_PASSWORD = before
    }
    const root = await authOf(app).accounts.verify("root@example.com", GOOD)
    expect(root).toMatchObject({ isStaff: true, isSuperuser: true, name: "Root" })
  })
}
