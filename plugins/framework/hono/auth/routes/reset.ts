import type { Ctx } from "../../app/env.ts"
import { ValidationError } from "../../db/errors.ts"
import { normalEmail } from "../accounts.ts"
import { authOf } from "../auth.ts"
import { note } from "../events.ts"
import { User, type UserRow } from "../models.ts"
import { issue, peek, redeem } from "../tokens.ts"
import { AuthContext } from "./context.tsx"
import { faultsOf } from "./signup.ts"

/** A forgotten password: the link goes to the address of the account, as the account has it. */
export function resetRoutes(context: AuthContext): void {
  const { auth, paths } = context
  const { app, accounts } = auth
  const forgot = { href: paths.forgot, text: "Get a new link" }

  const page = (c: Ctx, email: string, faults: Record<string, string> = {}, status = 200) =>
    context.show(c, "forgot", { action: paths.forgot, login: paths.login, email, faults }, { title: "Forgot your password?", status })

  app.get(paths.forgot, c => page(c, c.var.user?.email ?? ""))

  app.post(paths.forgot, async c => {
    const form = await context.form(c, "email")
    const email = normalEmail(form.email)
    const faults = faultsOf({ email })
    if (Object.keys(faults).length > 0) return page(c, form.email, faults, 422)
    const to = context.link(c, paths.reset)
    const tooMany = await context.tooMany(c, "mail", email)
    if (tooMany !== undefined) return page(c, form.email, { "": tooMany }, 429)
    note(c, "reset asked")
    await context.later(c, async () => {
      const user = await accounts.find(email)
      if (user?.isActive === true) await sendReset(context, user, to)
    })
    return context.notice(c, "Check your mail", `If ${email} has an account here, a mail with a link is on its way.`, { link: { href: paths.login, text: "Back to the login" } })
  })

  const choose = (c: Ctx, email: string, faults: Record<string, string> = {}, status = 200) =>
    context.show(c, "reset", { action: `${paths.reset}/${c.req.param("token")}`, email, faults }, { title: "Choose a new password", status })

  app.get(`${paths.reset}/:token`, async c => {
    const user = await userOfLink(c)
    return user === null ? context.deadLink(c, forgot) : choose(c, user.email)
  })

  app.post(`${paths.reset}/:token`, async c => {
    const user = await userOfLink(c)
    if (user === null) return context.deadLink(c, forgot)
    const { password } = await context.form(c, "password")
    try {
      const hash = await context.hashing(() => accounts.hashChecked(password, user))
      // Only now: a password that was refused must not cost the link.
      const token = c.req.param("token")!
      if ((await redeem("reset", token)) === null && (await redeem("invite", token)) === null) return context.deadLink(c, forgot)
      await accounts.setHash(user, hash)
      note(c, "password changed", user)
    } catch (error) {
      if (error instanceof ValidationError) return choose(c, user.email, { ...error.issues }, 422)
      throw error
    }
    // Who opened the link has the mailbox.
    if (user.emailVerifiedAt === null) await User.update(user, { emailVerifiedAt: new Date() })
    await context.later(c, () => context.mail(user, context.mails.changed({ name: user.name, what: "password", reset: context.link(c, paths.forgot), site: app.title })))
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

async function sendReset(context: AuthContext, user: UserRow, to: string): Promise<void> {
  const { accounts, app } = context.auth
  const purpose = (await accounts.passwordStamp(user)) === 0 ? "invite" : "reset"
  const token = await issue(purpose, { user: user.id, email: user.email })
  await context.mail(user, context.mails[purpose]({ name: user.name, link: `${to}/${token}`, site: app.title }))
}

/** For the admin: sends a user a link to choose a password; an invitation, when there is none yet. */
export function sendResetLink(c: Ctx, user: UserRow): Promise<void> {
  const context = new AuthContext(authOf(c.var.app))
  return sendReset(context, user, context.link(c, context.paths.reset))
}
