import { cookie, cookieName, readCookie } from "../app/cookies.ts"
import type { Ctx } from "../app/env.ts"
import { randomId } from "../app/secret.ts"
import { isSecure } from "../app/security.ts"

const COOKIE = "device"
const PURPOSE = "auth device"
const DAYS = 180

/**
 * Whoever knows an address could lock its owner out, with wrong passwords on purpose. So a browser that has logged in
 * carries a signed mark, and its tries are counted apart from those of strangers (OWASP, "device cookies").
 */
export function markDevice(c: Ctx, email: string): void {
  const value = c.var.app.signer.sign(PURPOSE, `${hashOf(email)}.${randomId()}`, DAYS * 86_400_000)
  const secure = isSecure(c)
  c.header("Set-Cookie", cookie(cookieName(COOKIE, secure), value, { secure, maxAgeSeconds: DAYS * 86_400 }), { append: true })
}

/** What tries for this account are counted under: the account, or the account in this browser. */
export function throttleKey(c: Ctx, email: string): string {
  const sent = readCookie(c.req.header("cookie"), cookieName(COOKIE, isSecure(c)))
  const mark = sent === undefined ? undefined : c.var.app.signer.unsign(PURPOSE, sent)
  return mark?.startsWith(`${hashOf(email)}.`) === true ? `${email}\0${mark}` : email
}

function hashOf(email: string): string {
  return new Bun.CryptoHasher("sha256").update(email).digest("base64url")
}
