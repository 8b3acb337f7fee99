import { createHash, createHmac } from "node:crypto"
import type { Balancer, Exchange, Reply, Upstream } from "edge"
import { readCookie } from "./hash.ts"
import type { Pick } from "./algorithms.ts"

export interface StickyRules {
  readonly cookie: string
  /** Without it the cookie can be worked out by whoever knows the upstream's address. */
  readonly secret: string | undefined
  /** Seconds; undefined: until the browser ends. */
  readonly maxAge: number | undefined
}

/**
 * A client stays with the upstream that it first got, by a cookie. It holds a keyed digest of the upstream's name (as
 * HAProxy's dynamic cookies): nothing of the inside is told, and nobody can make the one of an upstream he was not given.
 */
export class Sticky implements Balancer {
  readonly #rules: StickyRules
  readonly #fallback: Pick
  readonly #tokens = new WeakMap<Upstream, string>()

  constructor(rules: StickyRules, fallback: Pick) {
    this.#rules = rules
    this.#fallback = fallback
  }

  pick(upstreams: readonly Upstream[], x: Exchange): Upstream | undefined {
    const value = readCookie(x, this.#rules.cookie)
    const known = value === null ? undefined : upstreams.find(upstream => this.#token(upstream) === value)
    return known ?? this.#fallback(upstreams, x)
  }

  answered(upstream: Upstream, { x, reply }: { x: Exchange; reply: Reply }): void {
    const { cookie, maxAge } = this.#rules
    const token = this.#token(upstream)
    if (readCookie(x, cookie) === token) return
    const age = maxAge === undefined ? "" : `; Max-Age=${maxAge}`
    reply.headers.append("Set-Cookie", `${cookie}=${token}; Path=/; HttpOnly; SameSite=Lax${x.scheme === "https" ? "; Secure" : ""}${age}`)
  }

  #token(upstream: Upstream): string {
    let token = this.#tokens.get(upstream)
    if (token === undefined) {
      const { secret } = this.#rules
      const digest = secret === undefined ? createHash("sha256") : createHmac("sha256", secret)
      token = digest.update(upstream.id).digest("hex").slice(0, 32)
      this.#tokens.set(upstream, token)
    }
    return token
  }
}
