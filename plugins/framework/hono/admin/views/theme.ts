import type { Ctx } from "../../app/env.ts"
import { isSecure } from "../../app/security.ts"
import { safeNext } from "../../app/request.ts"
import { getCookie, setCookie } from "hono/cookie"

export type Theme = "light" | "dark" | "auto"
const COOKIE = "admin_theme"

export function readTheme(c: Ctx): Theme {
  const sent = getCookie(c, COOKIE)
  return sent === "light" || sent === "dark" ? sent : "auto"
}

/** Keeps the choice in a cookie, so that the first paint of every page is right and no script is needed. */
export async function switchTheme(c: Ctx, home: string): Promise<Response> {
  const form = await c.req.formData()
  const theme = form.get("theme")
  setCookie(c, COOKIE, theme === "light" || theme === "dark" ? theme : "auto", { path: home, maxAge: 31_536_000, sameSite: "Lax", httpOnly: true, secure: isSecure(c) })
  return c.redirect(safeNext(form.get("next"), home), 303)
}
