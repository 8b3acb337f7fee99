import { cookie, cookieName, readCookie } from "./cookies.ts"
import { randomId, same, type Signer } from "./secret.ts"

/** Name of the form field, and of the header for scripts. */
export const CSRF_FIELD = "_csrf"
export const CSRF_HEADER = "X-CSRF-Token"

const COOKIE = "csrf"

/**
 * The token of a visitor's forms: bound to a random id in a cookie of its own, so that showing a form starts no session;
 * a login changes it. Each token is salted: the same page compressed twice does not give it away (BREACH).
 */
export class Csrf {
  readonly #signer: Signer
  readonly #secure: boolean
  #id: string | undefined
  #isNew = false

  constructor(cookieHeader: string | undefined, options: { signer: Signer; secure: boolean }) {
    this.#signer = options.signer
    this.#secure = options.secure
    const sent = readCookie(cookieHeader, cookieName(COOKIE, options.secure))
    this.#id = sent !== undefined && /^[\w-]{32}$/.test(sent) ? sent : undefined
  }

  /** For a hidden field named `_csrf`, or a header X-CSRF-Token. */
  get token(): string {
    if (this.#id === undefined) {
      this.#id = randomId()
      this.#isNew = true
    }
    const salt = randomId().slice(0, 12)
    return `${salt}.${this.#signer.mac("csrf", salt + this.#id)}`
  }

  /** False: no token can be right, so that there is no need to look for one. */
  get isKnown(): boolean {
    return this.#id !== undefined && !this.#isNew
  }

  check(token: unknown): boolean {
    if (typeof token !== "string" || this.#id === undefined || this.#isNew) return false
    const cut = token.indexOf(".")
    return cut === 12 && same(token.slice(13), this.#signer.mac("csrf", token.slice(0, 12) + this.#id))
  }

  /** Tokens given out before this are worth nothing. */
  renew(): void {
    if (this.#id === undefined) return
    this.#id = randomId()
    this.#isNew = true
  }

  get setCookie(): string | undefined {
    return this.#isNew ? cookie(cookieName(COOKIE, this.#secure), this.#id!, { secure: this.#secure }) : undefined
  }
}
