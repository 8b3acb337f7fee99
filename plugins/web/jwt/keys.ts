/** The keys that tokens may be signed with. */
import type { Context } from "edge"
import { createPublicKey, createSecretKey, type JsonWebKeyInput, type KeyObject } from "node:crypto"
import { readFileSync } from "node:fs"

export interface Key {
  readonly key: KeyObject
  /** Tokens that name a key must name this one. */
  readonly kid?: string
  /** The one algorithm that it is for. */
  readonly alg?: string
}

/** Keys of a set that are looked at. */
const MOST_KEYS = 100

export function secretKey(secret: string): Key {
  return { key: createSecretKey(Buffer.from(secret)) }
}

export function pemKey(file: string): Key {
  return { key: createPublicKey(readFileSync(file)) }
}

/** RFC 7517, 5: keys that are not understood are left out, as are those for encryption and secret ones. */
export function keysOfSet(text: string): readonly Key[] {
  const { keys } = JSON.parse(text) as { keys?: unknown }
  if (!Array.isArray(keys)) throw new Error('it is no set of keys: "keys" is missing')
  return keys.slice(0, MOST_KEYS).flatMap((one: unknown) => keyOf(one) ?? [])
}

function keyOf(jwk: unknown): Key | undefined {
  const { kty, kid, alg, use, key_ops: operations } = (typeof jwk === "object" && jwk !== null ? jwk : {}) as Record<string, unknown>
  if (kty !== "RSA" && kty !== "EC" && kty !== "OKP") return undefined
  if (use !== undefined && use !== "sig") return undefined
  if (Array.isArray(operations) && !operations.includes("verify")) return undefined
  try {
    const key = createPublicKey({ key: jwk as JsonWebKeyInput["key"], format: "jwk" })
    return { key, ...(typeof kid === "string" && { kid }), ...(typeof alg === "string" && { alg }) }
  } catch {
    // A curve that nobody here knows.
    return undefined
  }
}

const FETCH_MS = 5000
const MOST_BYTES = 1 << 20
/** A token with an unknown key makes the set be fetched anew, so often at most: anybody can make up such tokens. */
const COOL_MS = 30_000

/** A set of keys at a URL: fetched at the start and when it is old, kept when it cannot be fetched. */
export class RemoteKeys {
  readonly #url: string
  readonly #refreshMs: number
  readonly #ctx: Context
  /** Called when there are other keys than before. */
  readonly #onChange: () => void
  #text = ""
  #fetchedAt = -Infinity
  #triedAt = -Infinity
  #fetching: Promise<void> | undefined
  #failed = false
  /** Undefined until it was fetched once. */
  keys: readonly Key[] | undefined

  constructor(url: string, { ctx, refreshMs, onChange }: { ctx: Context; refreshMs: number; onChange(): void }) {
    this.#url = url
    this.#refreshMs = refreshMs
    this.#ctx = ctx
    this.#onChange = onChange
  }

  /** To be called now and then: an old set is fetched anew, and serves meanwhile. */
  touch(): void {
    if (performance.now() - Math.max(this.#fetchedAt, this.#triedAt) > this.#refreshMs) void this.fetch()
  }

  /** For a key that is not there; undefined when it was looked for a moment ago. */
  lookAgain(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching
    return performance.now() - this.#triedAt < (this.keys === undefined ? 1000 : COOL_MS) ? undefined : this.fetch()
  }

  fetch(): Promise<void> {
    return (this.#fetching ??= this.#fetch().finally(() => (this.#fetching = undefined)))
  }

  async #fetch(): Promise<void> {
    this.#triedAt = performance.now()
    try {
      const response = await fetch(this.#url, { redirect: "error", signal: AbortSignal.any([this.#ctx.signal, AbortSignal.timeout(FETCH_MS)]) })
      const text = await textOf(response)
      if (!response.ok) throw new Error(`it answered ${response.status}`)
      const keys = keysOfSet(text)
      if (keys.length === 0) throw new Error("it has no key that can be used")
      this.#fetchedAt = performance.now()
      if (this.#failed) this.#ctx.log.info("the set of keys could be fetched again", { url: this.#url })
      this.#failed = false
      if (text === this.#text) return
      this.#text = text
      this.keys = keys
      this.#onChange()
    } catch (error) {
      if (this.#ctx.signal.aborted) return
      if (!this.#failed) this.#ctx.log.error("the set of keys cannot be fetched", { url: this.#url, error: (error as Error).message })
      this.#failed = true
    }
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MOST_BYTES) throw new Error(`it is longer than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}
