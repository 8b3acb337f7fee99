import type { MiddlewareHandler } from "hono"
import { HTTPException } from "hono/http-exception"
import type { AppEnv, Ctx } from "../app/env.ts"
import { isSafe } from "../app/cross-site.ts"
import { safeNext } from "../app/request.ts"
import type { AnyModel } from "../db/model.ts"
import { type Auth, authOf } from "./auth.ts"
import type { UserRow } from "./models.ts"
import { can, hasPermission, type Operation } from "./permissions.ts"

type Guard = MiddlewareHandler<AppEnv>

/** Lets only users through; others are sent to the login and come back afterwards. */
export function requireUser(): Guard {
  return guard(() => true)
}

/** Lets only staff through (the admin's door). */
export function requireStaff(): Guard {
  return guard(user => user.isStaff || user.isSuperuser)
}

/** `requirePermission("change", Post)`, or one of the app's own by name: `requirePermission("newsletter.send")`. */
export function requirePermission(operation: Operation, model: AnyModel): Guard
export function requirePermission(name: string): Guard
export function requirePermission(operation: string, model?: AnyModel): Guard {
  return guard(user => (model === undefined ? hasPermission(user, operation) : can(user, operation, model)))
}

/** Anything else that must hold of the user. */
export function requireThat(holds: (user: UserRow) => boolean | Promise<boolean>): Guard {
  return guard(holds)
}

/** In a handler: the user; nobody is sent to the login. */
export function theUser(c: Ctx): UserRow {
  const { user } = c.var
  if (user === null) throw new HTTPException(401, { res: toLogin(c) })
  return user
}

/** In a handler, for one row: throws 403 (401 to the login when nobody is logged in). */
export async function allow(c: Ctx, operation: Operation, model: AnyModel, row?: object): Promise<void> {
  if (await can(c.var.user, operation, model, row)) return
  if (c.var.user === null) throw new HTTPException(401, { res: toLogin(c) })
  throw new HTTPException(403, { message: "You may not do this." })
}

function guard(holds: (user: UserRow) => boolean | Promise<boolean>): Guard {
  return async function requires(c, next) {
    const { user } = c.var
    if (user === null) return toLogin(c)
    if (!(await holds(user))) throw new HTTPException(403, { message: "You may not do this." })
    const auth = authOf(c.var.app)
    if (auth.options.secondFactor === "staff" && (user.isStaff || user.isSuperuser) && !isOfAccount(auth, c) && !(await auth.secondFactors.isOn(user))) {
      c.var.messages.add("warning", "Staff needs two-step login here: set it up first.")
      return c.redirect(`${auth.paths.account}/second-factor`, 303)
    }
    return next()
  }
}

/** The pages on which it is set up. */
function isOfAccount(auth: Auth, c: Ctx): boolean {
  return c.req.path === auth.paths.account || c.req.path.startsWith(`${auth.paths.account}/`)
}

/** A page to the login, with the way back; a script's request an answer it can read. */
export function toLogin(c: Ctx): Response {
  const { login } = authOf(c.var.app).paths
  const accept = c.req.header("accept") ?? ""
  if (accept.includes("application/json") && !accept.includes("text/html")) return c.json({ error: "Please log in" }, 401)
  // htmx would put the login page into a corner of this one; the way back is to the whole page.
  const page = c.req.header("hx-request") === "true" ? c.req.header("hx-current-url") : isSafe(c.req.method) ? c.req.url : undefined
  // A post cannot be repeated after the login.
  const url = page === undefined ? null : URL.parse(page)
  const to = url === null ? login : `${login}?next=${encodeURIComponent(safeNext(url.pathname + url.search))}`
  return c.req.header("hx-request") === "true" ? c.body(null, 204, { "HX-Redirect": to }) : c.redirect(to, 303)
}
