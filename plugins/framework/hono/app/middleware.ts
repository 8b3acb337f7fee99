import type { MiddlewareHandler } from "hono"
import { releaseBody } from "../forms/body.ts"
import { completeAnswers } from "./answer.ts"
import type { AnyApp } from "./app.ts"
import type { AppEnv, Ctx } from "./env.ts"
import { forbidden } from "./failures.ts"
import { isSafe, refuse } from "./cross-site.ts"
import { isLocation, toLocation } from "./location.ts"
import { rendererFor } from "./render.tsx"
import { isSecure, SecurityHeaders } from "./security.ts"
import { currentTrace, repeated } from "./trace.ts"
import { giveVars, Vars } from "./vars.ts"

/** Around every request: `c.var`, `c.render`, the check of what changes something, cookies and headers of the answer. */
export function middleware(app: AnyApp): MiddlewareHandler<AppEnv> {
  const trusted = new Set(app.given.security?.trustedOrigins)
  let headers: SecurityHeaders | undefined
  return async function edgeApp(c, next) {
    const vars = new Vars(app, c, isSecure(c))
    giveVars(c, vars)
    completeAnswers(c)
    c.setRenderer(rendererFor(c, app.given.layout))
    const refusal = isSafe(c.req.method) || isExempt(app, c.req.path) ? undefined : await refuse(c, trusted)
    if (refusal !== undefined) c.res = await forbidden(c, refusal)
    else {
      const gate = app.dev ? await app.devGate?.answer(c) : undefined
      if (gate === undefined) await next()
      else c.res = gate
    }
    // Uploads that nobody kept. Hono's next() does not throw: an error is an answer by now.
    if (!isSafe(c.req.method)) await releaseBody(c)
    // What failed halfway is not kept.
    if (vars.touched && (c.error === undefined || c.res.status < 500)) await sendCookies(c, vars)
    if (vars.sessionIfAsked !== undefined) keepFromCaches(c, vars.sessionIfAsked.mayExist)
    const location = c.res.headers.get("Location")
    if (location !== null && !isLocation(location)) c.res.headers.set("Location", toLocation(location))
    headers ??= new SecurityHeaders(app.given.security ?? {}, app.dev)
    headers.put(c.res.headers, { nonce: vars.nonceIfAsked, secure: vars.secure })
    if (app.dev) warnOfLoops(app, c)
  }
}

async function sendCookies(c: Ctx, vars: Vars): Promise<void> {
  const cookies = await vars.commit()
  for (const cookie of cookies) c.res.headers.append("Set-Cookie", cookie)
  if (cookies.length > 0) keepFromCaches(c, true)
}

/** A page made for one visitor is not for others; one made for nobody in particular is not for those who have a session. */
function keepFromCaches(c: Ctx, personal: boolean): void {
  const { headers } = c.res
  if (!(headers.get("Vary") ?? "").includes("Cookie")) headers.append("Vary", "Cookie")
  if (personal && !headers.has("Cache-Control")) headers.set("Cache-Control", "private, no-cache")
}

function isExempt(app: AnyApp, path: string): boolean {
  return app.exempt.some(exempt => (exempt.endsWith("*") ? path.startsWith(exempt.slice(0, -1)) : path === exempt))
}

/** A page that counts many things on purpose says so with `manyQueries`. */
function warnOfLoops(app: AnyApp, c: Ctx): void {
  if (c.get("manyQueries" as never) === true) return
  const trace = currentTrace()
  const loop = trace === undefined ? undefined : repeated(trace)
  if (loop === undefined) return
  app.booted.log.warn(`${c.req.method} ${c.req.path} asked the same ${loop.times} times, once a row; load it with .with("...")`, { sql: loop.sql })
}
