import { expect, test } from "bun:test"
import { Secret, TOTP } from "otpauth"
import { App } from "../../app/app.ts"
import { authOf, createUser } from "../../auth/auth.ts"
import { loginsOf } from "../../auth/logins.ts"
import { Permission, User, type UserRow } from "../../auth/models.ts"
import { attempt, isLocked } from "../../auth/throttle.ts"
import { users } from "../../auth/users.ts"
import { oneOf } from "../../db/compare.ts"
import { open, type TestSite } from "../../test/site.ts"
import { admin } from "../admin.ts"

const SECRET = Secret.fromBase32("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")

async function start(): Promise<{ site: TestSite; ann: UserRow; boss: UserRow } & AsyncDisposable> {
  const app = new App({ name: "Newsroom", url: "https://news.example", parts: [users({ hashing: { memoryCost: 64, timeCost: 1 } }), admin()] })
  const site = await open(app)
  const boss = await createUser({ email: "boss@x.org", name: "Boss", isStaff: true, isSuperuser: true })
  const ann = await createUser({ email: "ann@x.org", name: "Ann" })
  await site.login(boss)
  return { site, ann, boss, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() }
}

const act = (site: Pick<TestSite, "post">, action: string, row: UserRow) => site.post("/admin/user/action", { action, id: row.id, confirm: 1 })

test("a link to choose a password; none to who is switched off", async () => {
  await using room = await start()
  const { site, ann, boss } = room
  await act(site, "link", ann)
  expect(site.outbox.map(letter => [letter.subject, letter.to])).toEqual([["Your account at Newsroom", [{ name: "Ann", address: "ann@x.org" }]]])
  expect(site.outbox[0]!.text).toContain("https://news.example/reset/")
  await User.update(ann, { isActive: false })
  await act(site, "link", ann)
  expect(site.outbox).toHaveLength(1)
  expect((await site.get("/admin")).status).toBe(200)
  expect(boss.isSuperuser).toBe(true)
})

test("logged out everywhere; unlocked", async () => {
  await using room = await start()
  const { site, ann } = room
  await site.visitor().login(ann)
  expect(await loginsOf(ann)).toHaveLength(1)
  await act(site, "logout", ann)
  expect(await loginsOf(ann)).toHaveLength(0)
  for (let i = 0; i < 12; i++) await attempt("login", { account: ann.email, address: `10.0.0.${i}` })
  expect(await isLocked(ann.email)).toBe(true)
  await act(site, "unlock", ann)
  expect(await isLocked(ann.email)).toBe(false)
})

test("two-step login is switched off by superusers alone, and nothing is done to superusers by others", async () => {
  await using room = await start()
  const { site, ann, boss } = room
  const { secondFactors } = authOf(site.app)
  for (const user of [ann, boss]) await secondFactors.enable(user, SECRET.base32, new TOTP({ secret: SECRET }).generate())
  const helper = await createUser({ email: "help@x.org", name: "Helper", isStaff: true })
  await User.update(helper, { permissions: await Permission.where({ name: oneOf(["user.view", "user.change"]) }) })
  const visitor = await site.visitor().login(helper)
  await act(visitor, "secondFactorOff", ann)
  expect(await secondFactors.isOn(ann)).toBe(true)
  const colleague = await createUser({ email: "col@x.org", name: "Colleague", isStaff: true })
  for (const user of [boss, colleague]) {
    await act(visitor, "link", user)
    await visitor.post(`/admin/user/${user.id}`, { email: "mine@x.org", name: "x" })
    expect((await User.get(user.id)).email).toBe(user.email)
  }
  expect(site.outbox).toHaveLength(0)
  await act(visitor, "link", ann)
  expect(site.outbox).toHaveLength(1)
  await act(site, "secondFactorOff", ann)
  expect([await secondFactors.isOn(ann), await secondFactors.isOn(boss)]).toEqual([false, true])
})
