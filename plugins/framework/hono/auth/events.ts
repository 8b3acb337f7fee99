import type { Ctx } from "../app/env.ts"
import { clientIp } from "../app/request.ts"
import { authOf } from "./auth.ts"

/** What happens to accounts, for the log and for `users({ onEvent })`: mails to staff, statistics, a table of your own. */
export interface AuthEvent {
  readonly kind:
    | "login"
    | "login refused"
    | "code refused"
    | "too many tries"
    | "logout"
    | "signed up"
    | "reset asked"
    | "password changed"
    | "email changed"
    | "second factor on"
    | "second factor off"
  /** Id of the user; undefined when it is not known who it is, or the answer must not depend on it. */
  readonly user: number | undefined
  readonly ip: string
}

/** Never with what was typed: people type their password into the field of the address. */
export function note(c: Ctx, kind: AuthEvent["kind"], user?: { readonly id: number }): void {
  const auth = authOf(c.var.app)
  const event: AuthEvent = { kind, user: user?.id, ip: clientIp(c) }
  const { log } = auth.app.booted
  if (/refused|too many/.test(kind)) log.warn(`users: ${kind}`, { ip: event.ip, path: c.req.path })
  else log.info(`users: ${kind}`, { user: event.user, ip: event.ip })
  try {
    auth.options.onEvent?.(event)
  } catch (error) {
    log.error("users: onEvent failed", { error })
  }
}
