import type { Ctx } from "./env.ts"

/**
 * What browsers are told: `csp` false for none, or a whole policy in which `{nonce}` is replaced. Default: scripts from
 * this site or with the page's nonce, styles from this site, pictures from anywhere.
 */
export interface SecurityOptions {
  readonly csp?: string | false
  /** Seconds that browsers are to come by https only; 0 for never. Sent over https. Default one year. */
  readonly hstsSeconds?: number
  /** Origins besides our own whose forms are let in ("https://admin.example.com"). */
  readonly trustedOrigins?: readonly string[]
  /** Pages may be put into frames of this site; default of none. */
  readonly framing?: "none" | "self"
}

const YEAR = 31_536_000

export class SecurityHeaders {
  readonly #plain: string | undefined
  readonly #nonced: (nonce: string) => string
  readonly #frame: string
  readonly #hsts: string | undefined

  constructor(options: SecurityOptions, dev: boolean) {
    const self = options.framing === "self"
    const policy = options.csp === false ? undefined : (options.csp ?? defaultPolicy(self))
    this.#plain = policy?.replaceAll(/ ?'nonce-\{nonce\}'/g, "")
    this.#nonced = nonce => policy?.replaceAll("{nonce}", nonce) ?? ""
    this.#frame = self ? "SAMEORIGIN" : "DENY"
    const seconds = options.hstsSeconds ?? YEAR
    // Dev: a browser that remembers "https only" for localhost locks out every other site being written there.
    this.#hsts = seconds === 0 || dev ? undefined : `max-age=${seconds}`
  }

  /** Adds what the handler did not set itself. */
  put(headers: Headers, page: { nonce: string | undefined; secure: boolean }): void {
    setNew(headers, "X-Content-Type-Options", "nosniff")
    setNew(headers, "Referrer-Policy", "same-origin")
    if (page.secure && this.#hsts !== undefined) setNew(headers, "Strict-Transport-Security", this.#hsts)
    if (!(headers.get("Content-Type") ?? "").startsWith("text/html")) return
    setNew(headers, "X-Frame-Options", this.#frame)
    setNew(headers, "Cross-Origin-Opener-Policy", "same-origin")
    if (this.#plain !== undefined) setNew(headers, "Content-Security-Policy", page.nonce === undefined ? this.#plain : this.#nonced(page.nonce))
  }
}

function defaultPolicy(self: boolean): string {
  return [
    "default-src 'self'",
    "script-src 'self' 'nonce-{nonce}'",
    // Style attributes are everywhere in templates, and cannot run code.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: https:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    `frame-ancestors ${self ? "'self'" : "'none'"}`,
  ].join("; ")
}

function setNew(headers: Headers, name: string, value: string): void {
  if (!headers.has(name)) headers.set(name, value)
}

/** True when the visitor came by https, also through a trusted proxy. */
export function isSecure(c: Ctx): boolean {
  const scheme = (c.env as { scheme?: string } | undefined)?.scheme
  return scheme === undefined ? c.req.url.startsWith("https:") : scheme === "https"
}
