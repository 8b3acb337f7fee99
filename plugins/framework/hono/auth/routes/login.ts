import type { Ctx } from "../../app/env.ts"
import { clientIp, safeNext } from "../../app/request.ts"
import { normalEmail } from "../accounts.ts"
import { markDevice, throttleKey } from "../devices.ts"
import { note } from "../events.ts"
import { logIn, logOut } from "../logins.ts"
import { User, type UserRow } from "../models.ts"
import { forgive, refund } from "../throttle.ts"
import type { AuthContext } from "./context.tsx"

/** The password was right; the code is still to come. */
interface Pending {
  readonly user: number
  readonly next: string
  readonly until: number
  /** Of the password that was given: a new one meanwhile makes it worthless. */
  readonly stamp: number
}
const PENDING = "_second"
const PENDING_MS = 5 * 60_000

export function loginRoutes(context: AuthContext): void {
  const { auth, paths } = context
  const { app, accounts } = auth
  const signup = auth.options.signup === false ? {} : { signup: paths.signup }

  const page = (c: Ctx, of: { email: string; next: string; faults?: Record<string, string>; status?: number }) =>
    context.show(
      c,
      "login",
      { paths: { login: paths.login, forgot: paths.forgot, ...signup }, email: of.email, next: of.next, faults: of.faults ?? {} },
      { title: "Log in", ...(of.status !== undefined && { status: of.status }) },
    )

  app.get(paths.login, c => {
    const next = safeNext(c.req.query("next"), auth.home)
    return c.var.user === null ? page(c, { email: "", next }) : c.redirect(next, 303)
  })

  app.post(paths.login, async c => {
    const form = await context.form(c, "email", "password", "next")
    const email = normalEmail(form.email)
    const next = safeNext(form.next, auth.home)
    const again = (faults: Record<string, string>, status = 422) => page(c, { email: form.email, next, faults, status })
    if (email === "") return again({ email: "This is needed." })
    if (form.password === "") return again({ password: "This is needed." })
    const tooMany = await context.tooMany(c, "login", throttleKey(c, email))
    if (tooMany !== undefined) return again({ "": `${tooMany} Or choose a new password.` }, 429)
    const right = await context.hashing(() => accounts.check(email, form.password))
    // One answer, whether there is such an account or not. A password that was changed while it was being checked is the
    // old one: its sessions have ended, and this one would come after.
    if (right === null || (await accounts.passwordStamp(right.user)) !== right.stamp) {
      note(c, "login refused")
      return again({ "": "The e-mail address or the password is not right." })
    }
    const { user, stamp } = right
    if (!(await auth.secondFactors.isOn(user))) return enter(c, user, next)
    const { session } = c.var
    session.rotate()
    session.set(PENDING, { user: user.id, next, until: Date.now() + PENDING_MS, stamp } satisfies Pending)
    return c.redirect(paths.code, 303)
  })

  const codePage = (c: Ctx, faults: Record<string, string> = {}, status = 200) =>
    context.show(c, "code", { action: paths.code, login: paths.login, faults }, { title: "One more step", status })

  app.get(paths.code, async c => ((await pendingOf(c)) === undefined ? c.redirect(paths.login, 303) : codePage(c)))

  app.post(paths.code, async c => {
    const pending = await pendingOf(c)
    if (pending === undefined) return c.redirect(paths.login, 303)
    const { code } = await context.form(c, "code")
    if (code.trim() === "") return codePage(c, { code: "This is needed." }, 422)
    const { user } = pending
    const tooMany = await context.tooMany(c, "code", user.email)
    if (tooMany !== undefined) return codePage(c, { "": tooMany }, 429)
    const how = await auth.secondFactors.verify(user, code)
    if (how === undefined) {
      note(c, "code refused", user)
      return codePage(c, { code: "This code is not right, or was used already." }, 422)
    }
    if (how === "recovery") {
      const left = await auth.secondFactors.recoveryCodesLeft(user)
      c.var.messages.add("info", `That recovery code is used up now. ${left} ${left === 1 ? "is" : "are"} left.`)
    }
    await refund("code", clientIp(c))
    c.var.session.delete(PENDING)
    return enter(c, user, pending.next)
  })

  async function enter(c: Ctx, user: UserRow, next: string): Promise<Response> {
    // Of a known browser only its own count: a stranger's tries are not forgiven because the owner came by.
    await forgive(throttleKey(c, user.email), ["login"])
    await forgive(user.email, ["code"])
    markDevice(c, user.email)
    await refund("login", clientIp(c))
    await logIn(c, user)
    return c.redirect(next, 303)
  }

  /** Asked of the database again: the account may have been switched off in between. */
  async function pendingOf(c: Ctx): Promise<{ user: UserRow; next: string } | undefined> {
    const pending = c.var.session.mayExist ? await c.var.session.get<Pending>(PENDING) : undefined
    if (pending === undefined || pending.until < Date.now()) return undefined
    const user = await User.where({ id: pending.user, isActive: true }).first()
    return user === null || (await accounts.passwordStamp(user)) !== pending.stamp ? undefined : { user, next: pending.next }
  }

  app.get(paths.logout, c => {
    const { user } = c.var
    if (user === null) return c.redirect(auth.home, 303)
    return context.show(c, "logout", { action: paths.logout, name: user.name || user.email }, { title: "Log out" })
  })

  app.post(paths.logout, c => {
    if (c.var.user !== null) note(c, "logout", c.var.user)
    logOut(c)
    return c.redirect(auth.home, 303)
  })
}
