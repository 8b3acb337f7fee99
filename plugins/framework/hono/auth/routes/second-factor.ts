import { renderSVG } from "uqr"
import type { Ctx } from "../../app/env.ts"
import { theUser } from "../guards.ts"
import { SecondFactors } from "../second-factor.ts"
import { askedAgain, showAccount, tellChanged } from "./account-page.ts"
import type { AuthContext } from "./context.tsx"

/** The secret that is being set up, sealed; kept by us, so that no form can bring one that somebody else knows. */
const SETUP = "_setup"

/** Switching the second step on and off; both ask for the password. */
export function secondFactorRoutes(context: AuthContext): void {
  const { auth, paths } = context
  const { app } = auth
  const path = `${paths.account}/second-factor`

  const setupPage = async (c: Ctx, faults: Record<string, string> = {}, status = 200): Promise<Response> => {
    const user = theUser(c)
    let secret = await pendingSecret(c)
    if (secret === undefined) {
      secret = SecondFactors.newSecret()
      c.var.session.set(SETUP, auth.secondFactors.box.seal(secret, String(user.id)))
    }
    const qr = renderSVG(auth.secondFactors.uri(user, secret), { border: 0 })
    return context.show(c, "secondFactor", { action: path, account: paths.account, email: user.email, qr, secret, faults }, { title: "Two-step login", status })
  }

  app.get(path, async c => ((await auth.secondFactors.isOn(theUser(c))) ? c.redirect(paths.account, 303) : setupPage(c)))

  app.post(path, async c => {
    const user = theUser(c)
    const secret = await pendingSecret(c)
    if (secret === undefined || (await auth.secondFactors.isOn(user))) return c.redirect(path, 303)
    const { code, current } = await context.form(c, "code", "current")
    const refused = await askedAgain(context, c, current)
    if (refused !== undefined) return setupPage(c, refused.faults, refused.status)
    const codes = await auth.secondFactors.enable(user, secret, code)
    if (codes === undefined) return setupPage(c, { code: "This code is not right. Is the clock of your telephone?" }, 422)
    c.var.session.delete(SETUP)
    await tellChanged(context, c, "second factor on")
    return context.show(c, "recoveryCodes", { codes, account: paths.account }, { title: "Recovery codes" })
  })

  app.post(`${path}/off`, async c => {
    const refused = await refuse(c)
    if (refused !== undefined) return refused
    await auth.secondFactors.disable(theUser(c))
    await tellChanged(context, c, "second factor off")
    c.var.messages.success("Two-step login is switched off.")
    return c.redirect(paths.account, 303)
  })

  app.post(`${path}/codes`, async c => {
    const refused = await refuse(c)
    if (refused !== undefined) return refused
    const codes = await auth.secondFactors.renewCodes(theUser(c))
    return context.show(c, "recoveryCodes", { codes, account: paths.account }, { title: "Recovery codes" })
  })

  async function refuse(c: Ctx): Promise<Response | undefined> {
    const { current } = await context.form(c, "current")
    const refused = await askedAgain(context, c, current)
    return refused === undefined ? undefined : showAccount(context, c, { wrong: { form: "second", faults: refused.faults, values: {} }, status: refused.status })
  }

  async function pendingSecret(c: Ctx): Promise<string | undefined> {
    const sealed = await c.var.session.get<string>(SETUP)
    return typeof sealed === "string" ? auth.secondFactors.box.open(sealed, String(theUser(c).id)) : undefined
  }
}
