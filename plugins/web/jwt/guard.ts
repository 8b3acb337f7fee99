import { type Connection, type Context, cookieOf, type Exchange, type Handler, HeaderList, HttpError } from "edge"
import { type Key, RemoteKeys } from "./keys.ts"
import type { JwtOptions } from "./schema.ts"
import { checkTimes, type Claims, hasOne, headerOf, isSigned, keysFor, parseToken, type TimeRules, TokenError } from "./token.ts"

/** Tokens whose signature was checked, by keyed digest: a client sends the same one for minutes. */
const MOST_KNOWN = 4096

export interface GuardOptions {
  readonly options: JwtOptions
  readonly ctx: Context
  /** Keys of the config itself. */
  readonly keys: readonly Key[]
  /** URL of more of them. */
  readonly url: string | undefined
}

export class Guard {
  readonly remote: RemoteKeys | undefined
  readonly #options: JwtOptions
  readonly #keys: readonly Key[]
  readonly #algorithms: readonly string[]
  readonly #times: TimeRules
  readonly #places: readonly ((x: Exchange) => string | null)[]
  readonly #headers: readonly (readonly [name: string, claim: string])[]
  readonly #secret = crypto.getRandomValues(new Uint8Array(32))
  readonly #known = new Map<string, Claims>()
  /** The last token of each connection: a client sends it with every request, and comparing costs less than a digest. */
  #recent = new WeakMap<Connection, { readonly text: string; readonly claims: Claims }>()

  constructor({ options, ctx, keys, url }: GuardOptions) {
    this.#options = options
    this.#keys = keys
    this.#algorithms = listOf(options.algorithms)
    this.#times = { leewayMs: options.leeway, maxAgeMs: options.max_age, withoutExp: options.without_exp }
    this.#places = listOf(options.from).map(placeOf)
    this.#headers = Object.entries(options.headers)
    // A key that was taken out of the set must no longer be good for what is known.
    this.remote = url === undefined ? undefined : new RemoteKeys(url, { ctx, refreshMs: options.jwks_refresh, onChange: () => this.#forget() })
  }

  handle(x: Exchange, next: Handler): ReturnType<Handler> {
    const text = this.#tokenOf(x)
    if (text === null) {
      if (this.#options.optional) return next(this.#with(x, {}))
      throw this.#refusal(401)
    }
    this.remote?.touch()
    const last = this.#recent.get(x.conn)
    if (last?.text === text) return this.#admit(x, { claims: last.claims, next })
    const digest = new Bun.CryptoHasher("sha256", this.#secret).update(text).digest("latin1")
    const known = this.#known.get(digest)
    if (known !== undefined) {
      this.#recent.set(x.conn, { text, claims: known })
      return this.#admit(x, { claims: known, next })
    }
    try {
      const token = parseToken(text, this.#algorithms)
      const check = (again: boolean): ReturnType<Handler> => {
        const keys = keysFor(token, [...this.#keys, ...(this.remote?.keys ?? [])])
        // The issuer may have a new key, known only there.
        const looking = keys.length === 0 && again ? this.remote?.lookAgain() : undefined
        if (looking !== undefined) return looking.then(() => check(false))
        if (keys.length === 0 && this.remote !== undefined && this.remote.keys === undefined) {
          throw new HttpError(503, "the keys for tokens are not to be had", { headers: [["Retry-After", "5"]], quiet: true })
        }
        if (!isSigned(token, keys)) throw this.#refusal(401, "its signature is not good")
        if (this.#known.size >= MOST_KNOWN) this.#known.delete(this.#known.keys().next().value!)
        this.#known.set(digest, token.claims)
        this.#recent.set(x.conn, { text, claims: token.claims })
        return this.#admit(x, { claims: token.claims, next })
      }
      return check(true)
    } catch (error) {
      throw error instanceof TokenError ? this.#refusal(401, error.message) : error
    }
  }

  #forget(): void {
    this.#known.clear()
    this.#recent = new WeakMap()
  }

  /** The signature is good; now what it says. */
  #admit(x: Exchange, { claims, next }: { claims: Claims; next: Handler }): ReturnType<Handler> {
    const { issuer, audience, claims: wanted, user } = this.#options
    try {
      checkTimes(claims, { nowMs: Date.now(), rules: this.#times })
      if (issuer !== undefined && !(typeof claims["iss"] === "string" && hasOne(claims["iss"], listOf(issuer)))) throw new TokenError("its issuer is not accepted")
      if (audience !== undefined && !hasOne(claims["aud"], listOf(audience))) throw new TokenError("it is for somebody else")
    } catch (error) {
      throw error instanceof TokenError ? this.#refusal(401, error.message) : error
    }
    for (const [name, values] of Object.entries(wanted)) {
      if (!hasOne(claims[name], listOf(values), { words: true })) throw this.#refusal(403)
    }
    const vars = (x.vars ??= new Map())
    const name = claims[user]
    if (typeof name === "string" || typeof name === "number") vars.set("user", String(name))
    vars.set("jwt", claims)
    return next(this.#with(x, claims))
  }

  /** With the claims' headers, and none of these names from the client. */
  #with(x: Exchange, claims: Claims): Exchange {
    if (this.#headers.length === 0) return x
    const headers = HeaderList.from(x.headers)
    for (const [name, claim] of this.#headers) {
      const value = headerOf(claims[claim])
      headers.deleteAlike(name)
      if (value !== undefined) headers.append(name, value)
    }
    return x.with({ headers })
  }

  #tokenOf(x: Exchange): string | null {
    for (const place of this.#places) {
      const token = place(x)
      if (token !== null) return token
    }
    return null
  }

  /** RFC 6750, 3. */
  #refusal(status: 401 | 403, why = ""): HttpError {
    const realm = `Bearer realm="${this.#options.realm.replaceAll(/["\\]/g, "\\$&")}"`
    const error = status === 403 ? ', error="insufficient_scope"' : why === "" ? "" : `, error="invalid_token", error_description="${why}"`
    return new HttpError(status, `token refused${why === "" ? "" : `: ${why}`}`, { headers: [["WWW-Authenticate", realm + error]], quiet: true })
  }
}

function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === "string" ? [value] : value
}

function placeOf(place: string): (x: Exchange) => string | null {
  const [kind, name = ""] = place.split(":") as [string, string?]
  switch (kind) {
    case "header":
      return x => x.headers.get(name)
    case "query":
      return x => new URLSearchParams(x.query).get(name)
    case "cookie":
      return x => cookieOf(x, name)
    default:
      return x => /^bearer +(\S.*)$/i.exec(x.headers.get("authorization") ?? "")?.[1] ?? null
  }
}
