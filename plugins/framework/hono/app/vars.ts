import type { AnyApp } from "./app.ts"
import { cookieName, readCookie } from "./cookies.ts"
import { Csrf } from "./csrf.ts"
import type { AppVars, Ctx } from "./env.ts"
import { Messages } from "./messages.ts"
import { randomId } from "./secret.ts"
import { Session } from "./session.ts"

/** `c.var` of one request: each thing is made when first asked for, as most requests ask for none. */
export class Vars implements Pick<AppVars, "app" | "session" | "messages" | "csrf" | "nonce"> {
  readonly app: AnyApp
  readonly #c: Ctx
  readonly secure: boolean
  #session: Session | undefined
  #messages: Messages | undefined
  #csrf: Csrf | undefined
  #nonce: string | undefined
  // What middleware and parts set, as `user`.
  [key: string]: unknown

  constructor(app: AnyApp, c: Ctx, secure: boolean) {
    this.app = app
    this.#c = c
    this.secure = secure
  }

  get session(): Session {
    if (this.#session === undefined) {
      const options = this.app.sessionOptions
      const id = readCookie(this.#c.req.raw.headers.get("cookie"), cookieName(options.cookie, this.secure))
      this.#session = new Session(id, { ...options, secure: this.secure })
    }
    return this.#session
  }

  get messages(): Messages {
    this.#messages ??= new Messages(this.session)
    return this.#messages
  }

  get csrf(): Csrf {
    this.#csrf ??= new Csrf(this.#c.req.raw.headers.get("cookie") ?? undefined, { signer: this.app.signer, secure: this.secure })
    return this.#csrf
  }

  get nonce(): string {
    this.#nonce ??= randomId()
    return this.#nonce
  }
  get nonceIfAsked(): string | undefined {
    return this.#nonce
  }

  /** What the page may depend on: undefined when nobody asked for the session. */
  get sessionIfAsked(): Session | undefined {
    return this.#session
  }

  /** True when there may be something to keep or a cookie to send. */
  get touched(): boolean {
    return this.#session !== undefined || this.#csrf !== undefined
  }

  /** Keeps the session; gives the cookies to send. */
  async commit(): Promise<string[]> {
    this.#messages?.keep()
    const cookies: string[] = []
    if (this.#session !== undefined) {
      const made = await this.#session.commit()
      if (made !== undefined) cookies.push(made)
      if (this.#session.rotated) this.csrf.renew()
    }
    const token = this.#csrf?.setCookie
    if (token !== undefined) cookies.push(token)
    return cookies
  }
}

/** Puts `vars` in the place of Hono's own map, so that `c.var.x`, `c.get("x")` and `c.set("x", ...)` mean the same. */
export function giveVars(c: Ctx, vars: Vars): void {
  Object.defineProperty(c, "var", { value: vars, configurable: true })
  c.get = ((key: string) => vars[key]) as Ctx["get"]
  c.set = ((key: string, value: unknown) => {
    vars[key] = value
  }) as Ctx["set"]
}
