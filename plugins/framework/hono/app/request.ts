import type { Ctx } from "./env.ts"

/**
 * Where to go next, from the outside (`?next=`): only a path of this site. `//evil.example`, `/\evil.example`,
 * `https:evil.example` and control characters that browsers drop are the attacks (open redirect).
 */
export function safeNext(value: unknown, fallback = "/"): string {
  // oxlint-disable-next-line no-control-regex
  if (typeof value !== "string" || value.length > 2000 || !/^\/(?![/\\])[^\\\u0000-\u001f\u007f]*$/.test(value)) return fallback
  const url = URL.parse(value, "http://here.invalid")
  if (url?.origin !== "http://here.invalid") return fallback
  const path = url.pathname + url.search + url.hash
  // `/.//evil.example` is `//evil.example` once its dots are resolved.
  return path.startsWith("//") ? fallback : path
}

/** The visitor's address, trusted proxies applied; "" where there is none (tests without a socket). */
export function clientIp(c: Ctx): string {
  return (c.env as { ip?: string } | undefined)?.ip ?? ""
}

/**
 * An absolute URL of this site, for feeds, sitemaps and mails. From the app's `url` or SITE_URL; without one, from the
 * request's Host, which is the visitor's word: do not put such a link into a mail to somebody else (`app.siteUrl` says).
 */
export function absoluteUrl(c: Ctx, path: string): string {
  return new URL(path, c.var.app.siteUrl ?? c.req.url).href
}
