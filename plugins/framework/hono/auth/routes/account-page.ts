import type { Ctx } from "../../app/env.ts"
import { clientIp } from "../../app/request.ts"
import { note } from "../events.ts"
import { theUser } from "../guards.ts"
import { type LoginInfo, loginsOf, sessionCookie } from "../logins.ts"
import type { Mails } from "../mails.tsx"
import type { AccountProps } from "../pages/account.tsx"
import { forgive, refund } from "../throttle.ts"
import type { AuthContext } from "./context.tsx"

/** A form of the account page that was refused. */
export type Wrong = NonNullable<AccountProps["wrong"]>

export async function showAccount(context: AuthContext, c: Ctx, options: { wrong?: Wrong; status?: number } = {}): Promise<Response> {
  const { auth, paths } = context
  const user = theUser(c)
  const [stamp, on, codesLeft, logins] = await Promise.all([
    auth.accounts.passwordStamp(user),
    auth.secondFactors.isOn(user),
    auth.secondFactors.recoveryCodesLeft(user),
    loginsOf(user, sessionCookie(c)),
  ])
  const props: AccountProps = {
    path: paths.account,
    logout: paths.logout,
    forgot: paths.forgot,
    user,
    hasPassword: stamp !== 0,
    secondFactor: { on, codesLeft },
    logins: logins.map(shown),
    ...(options.wrong !== undefined && { wrong: options.wrong }),
  }
  return context.show(c, "account", props, { title: "Your account", status: options.status ?? 200 })
}

/** Asks the user's password once more: what is wrong, or undefined when it is right. */
export async function askedAgain(context: AuthContext, c: Ctx, current: string): Promise<{ faults: Record<string, string>; status: number } | undefined> {
  const user = theUser(c)
  if (current === "") return { faults: { current: "This is needed." }, status: 422 }
  const tooMany = await context.tooMany(c, "password", user.email)
  if (tooMany !== undefined) return { faults: { "": tooMany }, status: 429 }
  if (!(await context.hashing(() => context.auth.accounts.isPassword(user, current)))) return { faults: { current: "This is not your password." }, status: 422 }
  await forgive(user.email, ["password"])
  await refund("password", clientIp(c))
  return undefined
}

/** Tells the user by mail of a change that a thief would make; to the address of before it. */
export function tellChanged(context: AuthContext, c: Ctx, what: Parameters<Mails["changed"]>[0]["what"]): Promise<void> {
  const user = theUser(c)
  note(c, what === "password" || what === "email" ? `${what} changed` : what, user)
  const { auth, paths } = context
  return context.later(c, () => context.mail(user, context.mails.changed({ name: user.name, what, reset: context.link(c, paths.forgot), site: auth.app.title })))
}

const WHEN = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" })

function shown({ id, ip, agent, at, here }: LoginInfo): AccountProps["logins"][number] {
  return { id, ip, here, browser: browserOf(agent), since: `${WHEN.format(at)} UTC` }
}

/** "Firefox on Linux", as far as a browser says what it is. */
function browserOf(agent: string): string {
  const name = first(agent, { "Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari" })
  const system = first(agent, { iPhone: "iPhone", iPad: "iPad", Android: "Android", Windows: "Windows", "Mac OS X": "macOS", Linux: "Linux" })
  if (name === undefined) return "A program"
  return system === undefined ? name : `${name} on ${system}`
}

function first(agent: string, names: Readonly<Record<string, string>>): string | undefined {
  const key = Object.keys(names).find(part => agent.includes(part))
  return key === undefined ? undefined : names[key]
}
