import * as v from "valibot"
import type { Ctx } from "../../app/env.ts"
import { randomId, same } from "../../app/secret.ts"
import { ValidationError } from "../../db/errors.ts"
import type { Field } from "../../db/field.ts"
import { normalEmail } from "../accounts.ts"
import { note } from "../events.ts"
import { logIn } from "../logins.ts"
import { User } from "../models.ts"
import { issue, peek, redeem, type TokenRow } from "../tokens.ts"
import type { AuthContext } from "./context.tsx"

/** Marks the browser that signed up. */
const BROWSER = "_signup"

/**
 * Sign-up. There is no account before the link in the mail was used: so nobody can occupy another's address, and the
 * answer to "is there such an account?" goes to the mailbox alone.
 */
export function signupRoutes(context: AuthContext): void {
  const { auth, paths } = context
  const { app, accounts } = auth
  const login = { href: paths.login, text: "To the login" }

  const page = (c: Ctx, of: { email?: string; name?: string; faults?: Record<string, string>; status?: number } = {}) =>
    context.show(
      c,
      "signup",
      { paths: { signup: paths.signup, login: paths.login }, email: of.email ?? "", name: of.name ?? "", faults: of.faults ?? {} },
      { title: "Create an account", ...(of.status !== undefined && { status: of.status }) },
    )

  app.get(paths.signup, c => (c.var.user === null ? page(c) : c.redirect(auth.home, 303)))

  app.post(paths.signup, async c => {
    const form = await context.form(c, "email", "name", "password")
    const who = { email: normalEmail(form.email), name: form.name.trim() }
    const again = (faults: Record<string, string>, status = 422) => page(c, { email: form.email, name: form.name, faults, status })
    const faults = faultsOf(who)
    if (Object.keys(faults).length > 0) return again(faults)
    const link = context.link(c, paths.verify)
    const tooMany = await context.tooMany(c, "mail", who.email)
    if (tooMany !== undefined) return again({ "": tooMany }, 429)
    let hash: string
    try {
      hash = await context.hashing(() => accounts.hashChecked(form.password, who))
    } catch (error) {
      if (error instanceof ValidationError) return again({ ...error.issues })
      throw error
    }
    const browser = randomId()
    c.var.session.set(BROWSER, browser)
    const site = app.title
    await context.later(c, async () => {
      const known = await accounts.find(who.email)
      if (known !== null) return context.mail(known, context.mails.known({ name: known.name, login: context.link(c, paths.login), reset: context.link(c, paths.forgot), site }))
      const token = await issue("signup", { email: who.email, data: { name: who.name, hash, browser } })
      return context.mail({ email: who.email, name: "" }, context.mails.signup({ link: `${link}/${token}`, site }))
    })
    return context.notice(c, "Check your mail", `We have sent a mail to ${who.email}. Open the link in it, and your account is ready.`)
  })

  const confirmPage = async (c: Ctx, row: TokenRow, faults: Record<string, string> = {}, status = 200) =>
    context.show(
      c,
      "confirm",
      { action: `${paths.verify}/${c.req.param("token")}`, email: row.email, askPassword: !(await isSameBrowser(c, row)), faults },
      { title: "Confirm your address", status },
    )

  app.get(`${paths.verify}/:token`, async c => {
    const row = await peek("signup", c.req.param("token"))
    return row === null ? context.deadLink(c, login) : confirmPage(c, row)
  })

  // A post, not the link itself: mail programs and scanners open links before people do.
  app.post(`${paths.verify}/:token`, async c => {
    const row = await peek("signup", c.req.param("token"))
    if (row === null) return context.deadLink(c, login)
    if (!(await isSameBrowser(c, row))) {
      // Somebody else may have signed up with this address and a password of their own, and waits for its owner's click.
      const tooMany = await context.tooMany(c, "password", row.email)
      if (tooMany !== undefined) return confirmPage(c, row, { "": tooMany }, 429)
      const { password } = await context.form(c, "password")
      const right = await context.hashing(() => accounts.hashing.verify(password, row.data.hash))
      if (!right) return confirmPage(c, row, { password: "This is not the password that was chosen at the sign-up." }, 422)
    }
    const used = await redeem("signup", c.req.param("token"))
    if (used === null) return context.deadLink(c, login)
    try {
      const user = await accounts.createHashed({ email: used.email, name: used.data.name ?? "", emailVerifiedAt: new Date() }, used.data.hash)
      c.var.session.delete(BROWSER)
      note(c, "signed up", user)
      await logIn(c, user)
      c.var.messages.success(`Welcome, ${user.name}.`)
      return c.redirect(auth.home, 303)
    } catch (error) {
      if (error instanceof ValidationError) return context.notice(c, "There is an account already", `${used.email} has an account by now.`, { link: login, status: 409 })
      throw error
    }
  })

  async function isSameBrowser(c: Ctx, row: TokenRow): Promise<boolean> {
    const mark = c.var.session.mayExist ? await c.var.session.get<string>(BROWSER) : undefined
    return typeof mark === "string" && row.data.browser !== undefined && same(mark, row.data.browser)
  }
}

/** What is wrong with an address and a name, by the user model's own rules. */
export function faultsOf(values: Readonly<Record<string, string>>): Record<string, string> {
  const faults: Record<string, string> = {}
  for (const [key, value] of Object.entries(values)) {
    if (value === "") faults[key] = "This is needed."
    else {
      const result = v.safeParse((User.fields as unknown as Record<string, Field>)[key]!.schema, value)
      if (!result.success) faults[key] = key === "email" ? "This is no e-mail address." : result.issues[0].message
    }
  }
  return faults
}
