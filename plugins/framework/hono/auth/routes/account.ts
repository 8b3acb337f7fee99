import type { Ctx } from "../../app/env.ts"
import { ValidationError } from "../../db/errors.ts"
import { normalEmail } from "../accounts.ts"
import { requireUser, theUser } from "../guards.ts"
import { endOthers, revokeLogin, sessionCookie } from "../logins.ts"
import { User } from "../models.ts"
import { issue, peek, redeem, revokeTokens } from "../tokens.ts"
import { askedAgain, showAccount, tellChanged, type Wrong } from "./account-page.ts"
import type { AuthContext } from "./context.tsx"
import { faultsOf } from "./signup.ts"

/** What users do with their own account. What a thief of an open session would do asks for the password once more. */
export function accountRoutes(context: AuthContext): void {
  const { auth, paths } = context
  const { app, accounts } = auth
  const path = paths.account
  // Without what follows the slash too.
  app.use(`${path}/*`, requireUser())
  const page = (c: Ctx, wrong?: Wrong, status = 200) => showAccount(context, c, { status, ...(wrong !== undefined && { wrong }) })
  const done = (c: Ctx, text: string): Response => {
    c.var.messages.success(text)
    return c.redirect(path, 303)
  }

  app.get(path, c => page(c))

  app.post(`${path}/name`, async c => {
    const values = await context.form(c, "name")
    const name = values.name.trim()
    const faults = faultsOf({ name })
    if (Object.keys(faults).length > 0) return page(c, { form: "name", faults, values }, 422)
    await User.update(theUser(c), { name })
    return done(c, "Your name is changed.")
  })

  app.post(`${path}/email`, async c => {
    const user = theUser(c)
    const { email: typed, current } = await context.form(c, "email", "current")
    const email = normalEmail(typed)
    const again = (faults: Record<string, string>, status = 422) => page(c, { form: "email", faults, values: { email: typed } }, status)
    const faults = faultsOf({ email })
    if (Object.keys(faults).length > 0) return again(faults)
    if (email === user.email) return again({ email: "This is your address already." })
    const to = context.link(c, paths.email)
    const refused = await askedAgain(context, c, current)
    if (refused !== undefined) return again(refused.faults, refused.status)
    const tooMany = await context.tooMany(c, "mail", email)
    if (tooMany !== undefined) return again({ "": tooMany }, 429)
    await context.later(c, async () => {
      const other = await accounts.find(email)
      if (other !== null) return context.mail(other, context.mails.known({ name: other.name, login: context.link(c, paths.login), reset: context.link(c, paths.forgot), site: app.title }))
      const token = await issue("email", { user: user.id, email })
      return context.mail({ name: "", email }, context.mails.email({ link: `${to}/${token}`, site: app.title }))
    })
    return done(c, `We have sent a link to ${email}. Your address changes once you open it.`)
  })

  const theirs = { href: path, text: "To your account" }
  app.use(`${paths.email}/:token`, requireUser())
  app.get(`${paths.email}/:token`, async c => {
    const row = await peek("email", c.req.param("token"))
    if (row === null || row.userId !== theUser(c).id) return context.deadLink(c, theirs)
    return context.show(c, "confirm", { action: `${paths.email}/${c.req.param("token")}`, email: row.email, askPassword: false, faults: {} }, { title: "Confirm your address" })
  })
  app.post(`${paths.email}/:token`, async c => {
    const user = theUser(c)
    const token = c.req.param("token")
    const row = await peek("email", token)
    if (row === null || row.userId !== user.id || (await redeem("email", token)) === null) return context.deadLink(c, theirs)
    try {
      await User.update(user, { email: row.email, emailVerifiedAt: new Date() })
    } catch (error) {
      if (error instanceof ValidationError) return context.notice(c, "This did not work", `${row.email} has another account by now.`, { link: theirs, status: 409 })
      throw error
    }
    await revokeTokens(user.id)
    await tellChanged(context, c, "email")
    return done(c, `Your address is ${row.email} now.`)
  })

  app.post(`${path}/password`, async c => {
    const user = theUser(c)
    const { current, password } = await context.form(c, "current", "password")
    const again = (faults: Record<string, string>, status = 422) => page(c, { form: "password", faults, values: {} }, status)
    const refused = await askedAgain(context, c, current)
    if (refused !== undefined) return again(refused.faults, refused.status)
    try {
      const keep = sessionCookie(c)
      await context.hashing(() => accounts.setPassword(user, password, keep === undefined ? {} : { keep }))
    } catch (error) {
      if (error instanceof ValidationError) return again({ ...error.issues })
      throw error
    }
    // Who may have copied the old cookie is out too.
    c.var.session.rotate()
    await tellChanged(context, c, "password")
    return done(c, "Your password is changed. You are logged out everywhere else.")
  })

  app.post(`${path}/logins`, async c => {
    const user = theUser(c)
    const { id } = await context.form(c, "id")
    if (id === "others") await endOthers(c, user)
    else if (!(await revokeLogin(user, Number.parseInt(id, 10) || 0))) return done(c, "That one was logged out already.")
    return done(c, id === "others" ? "You are logged out everywhere else." : "Logged out there.")
  })
}
