import type { Ctx } from "../../app/env.ts"
import { ValidationError } from "../../db/errors.ts"
import { normalEmail } from "../accounts.ts"
import { authOf } from "../auth.ts"
import { note } from "../events.ts"
import { User, type UserRow } from "../models.ts"
import { issue, peek, redeem } from "../tokens.ts"
import { Desk } from "./desk.tsx"
import { faultsOf } from "./signup.ts"

/** A forgotten password: the link goes to the address of the account, as the account has it. */
export function resetRoutes(desk: Desk): void {
  const { auth, paths } = desk
  const { app, accounts } = auth
  const forgot = { href: paths.forgot, text: "Get a new link" }

  const page = (c: Ctx, email: string, faults: Record<string, string> = {}, status = 200) =>
    desk.show(c, "forgot", { action: paths.forgot, login: paths.login, email, faults }, { title: "Forgot your password?", status })

  app.get(paths.forgot, c => page(c, c.var.user?.email ?? ""))

  app.post(paths.forgot, async c => {
    const form = await desk.form(c, "email")
    const email = normalEmail(form.email)
    const faults = faultsOf({ email })
    if (Object.keys(faults).length > 0) return page(c, form.email, faults, 422)
    const to = desk.link(c, paths.reset)
    const tooMany = await desk.tooMany(c, "mail", email)
    if (tooMany !== undefined) return page(c, form.email, { "": tooMany }, 429)
    note(c, "reset asked")
    await desk.later(c, async () => {
      const user = await accounts.find(email)
      if (user?.isActive === true) await sendReset(desk, user, to)
    })
    return desk.notice(c, "Check your mail", `If ${email} has an account here, a mail with a link is on its way.`, { link: { href: paths.login, text: "Back to the login" } })
  })

  const choose = (c: Ctx, email: string, faults: Record<string, string> = {}, status = 200) =>
    desk.show(c, "reset", { action: `${paths.reset}/${c.req.param("token")}`, email, faults }, { title: "Choose a new password", status })

  app.get(`${paths.reset}/:token`, async c => {
    const user = await userOfLink(c)
    return user === null ? desk.deadLink(c, forgot) : choose(c, user.email)
  })

  app.post(`${paths.reset}/:token`, async c => {
    const user = await userOfLink(c)
    if (user === null) return desk.deadLink(c, forgot)
    const { password } = await desk.form(c, "password")
    try {
      const hash = await desk.hashing(() => accounts.hashChecked(password, user))
      // Only now: a password that was refused must not cost the link.
      const token = c.req.param("token")!
      if ((await redeem("reset", token)) === null && (await redeem("invite", token)) === null) return desk.deadLink(c, forgot)
      await accounts.setHash(user, hash)
      note(c, "password changed", user)
    } catch (error) {
      if (error instanceof ValidationError) return choose(c, user.email, { ...error.issues }, 422)
      throw error
    }
    // Who opened the link has the mailbox.
    if (user.emailVerifiedAt === null) await User.update(user, { emailVerifiedAt: new Date() })
    await desk.later(c, () => desk.mail(user, desk.mails.changed({ name: user.name, what: "password", reset: desk.link(c, paths.forgot), site: app.title })))
    // Nobody is logged in by a link: the second step would be passed by.
    c.var.session.end()
    c.var.messages.success("Your password is changed. Log in with it.")
    return c.redirect(paths.login, 303)
  })

  async function userOfLink(c: Ctx): Promise<UserRow | null> {
    const token = c.req.param("token")!
    const row = (await peek("reset", token)) ?? (await peek("invite", token))
    // The address too: a link that went to one which is no longer the account's opens nothing.
    return row?.userId == null ? null : User.where({ id: row.userId, email: row.email, isActive: true }).first()
  }
}

async function sendReset(desk: Desk, user: UserRow, to: string): Promise<void> {
  const { accounts, app } = desk.auth
  const purpose = (await accounts.passwordStamp(user)) === 0 ? "invite" : "reset"
  const token = await issue(purpose, { user: user.id, email: user.email })
  await desk.mail(user, desk.mails[purpose]({ name: user.name, link: `${to}/${token}`, site: app.title }))
}

/** For the admin: sends a user a link to choose a password; an invitation, when there is none yet. */
export function sendResetLink(c: Ctx, user: UserRow): Promise<void> {
  const desk = new Desk(authOf(c.var.app))
  return sendReset(desk, user, desk.link(c, desk.paths.reset))
}
