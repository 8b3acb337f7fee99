/** Requests to one authority: nonces, refused nonces, passing trouble, deadlines. */
import { type AccountKey, sign } from "./jose.ts"
import { AcmeError, type ProblemDocument } from "./problem.ts"
import { retryAfterMs } from "./retry-after.ts"

/** RFC 8555, 7.1.1. */
export interface Directory {
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  readonly revokeCert: string
  readonly keyChange: string
  /** RFC 9773. */
  readonly renewalInfo?: string
  readonly meta?: {
    readonly termsOfService?: string
    readonly externalAccountRequired?: boolean
    /** Name and description of each profile of certificates. */
    readonly profiles?: Readonly<Record<string, string>>
    readonly caaIdentities?: readonly string[]
  }
}

export interface TransportOptions {
  /** URL of the directory. */
  readonly directory: string
  /** PEM: a root to trust the authority by, beside the system's own. */
  readonly ca?: string
  readonly userAgent: string
  /** Of one exchange, until its answer has come whole. Default 30 s. */
  readonly timeoutMs?: number
  /** The world, for tests. */
  readonly fetch?: (url: string, init: BunFetchRequestInit) => Promise<Response>
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly now?: () => number
}

export interface Signer {
  readonly key: AccountKey
  /** URL of the account; absent while it is not known. */
  readonly kid?: string
}

export interface Answer<T> {
  readonly status: number
  readonly headers: Headers
  /** JSON; the text where it is none. */
  readonly body: T
}

/** An authority may refuse any nonce at any time (RFC 8555, 6.5); the next comes with its refusal. Half of them, say: 1 in 2^20. */
const NONCE_TRIES = 20
/** Passing trouble: waits of 1, 2, 4 and 8 s between, or what Retry-After says. */
const TRIES = 5
/** What an authority asks for is waited here; longer is the caller's to plan. */
const LONGEST_WAIT_MS = 30_000

export class Transport {
  readonly #options: TransportOptions
  readonly #fetch: NonNullable<TransportOptions["fetch"]>
  readonly #sleep: NonNullable<TransportOptions["sleep"]>
  readonly #now: () => number
  #directory: Directory | undefined
  #nonces: string[] = []

  constructor(options: TransportOptions) {
    this.#options = options
    this.#fetch = options.fetch ?? fetch
    this.#sleep = options.sleep ?? sleep
    this.#now = options.now ?? Date.now
  }

  get now(): number {
    return this.#now()
  }

  /** Asked once; forgotten when it cannot be had, so that a later call asks again. */
  async directory(signal?: AbortSignal): Promise<Directory> {
    return (this.#directory ??= (await this.get<Directory>(this.#options.directory, signal)).body)
  }

  /** A plain GET: the directory and renewal information are the only things that are had so (RFC 8555, 6.3). */
  async get<T>(url: string, signal?: AbortSignal): Promise<Answer<T>> {
    return this.#patiently(() => this.#exchange<T>(url, { method: "GET" }, signal), signal)
  }

  /** POST-as-GET when `payload` is undefined. Each try is signed anew: a nonce is good for one request. */
  async post<T>(url: string, payload: unknown, signer: Signer, signal?: AbortSignal): Promise<Answer<T>> {
    return this.#patiently(() => this.#signed<T>(url, payload, signer, signal), signal)
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#sleep(ms, signal)
  }

  async #signed<T>(url: string, payload: unknown, { key, kid }: Signer, signal?: AbortSignal): Promise<Answer<T>> {
    for (let tries = 1; ; tries++) {
      const nonce = await this.#nonce(signal)
      const body = JSON.stringify(await sign(payload, { url, nonce, ...(kid !== undefined && { kid }) }, key))
      try {
        return await this.#exchange<T>(url, { method: "POST", body, headers: { "Content-Type": "application/jose+json" } }, signal)
      } catch (error) {
        if (!(error instanceof AcmeError) || error.type !== "badNonce" || tries === NONCE_TRIES) throw error
      }
    }
  }

  async #nonce(signal?: AbortSignal): Promise<string> {
    const kept = this.#nonces.pop()
    if (kept !== undefined) return kept
    const { newNonce } = await this.directory(signal)
    await this.#exchange(newNonce, { method: "HEAD" }, signal)
    const fresh = this.#nonces.pop()
    if (fresh === undefined) throw new Error(`${newNonce} gave no Replay-Nonce`)
    return fresh
  }

  /** Again after trouble that may pass, within bounds; a refusal is thrown as it is. */
  async #patiently<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt()
      } catch (error) {
        if (signal?.aborted === true || tries === TRIES || !mayPass(error)) throw error
        const asked = error instanceof AcmeError ? error.retryAfterMs : undefined
        if (asked !== undefined && asked > LONGEST_WAIT_MS) throw error
        await this.#sleep(asked ?? 1000 * 2 ** (tries - 1), signal)
      }
    }
  }

  async #exchange<T>(url: string, init: BunFetchRequestInit, signal?: AbortSignal): Promise<Answer<T>> {
    const limit = AbortSignal.timeout(this.#options.timeoutMs ?? 30_000)
    const response = await this.#fetch(url, {
      ...init,
      headers: { ...(init.headers as Record<string, string> | undefined), "User-Agent": this.#options.userAgent },
      redirect: "error",
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      ...(this.#options.ca !== undefined && { tls: { ca: this.#options.ca } }),
    })
    const nonce = response.headers.get("replay-nonce")
    // A handful at most: an authority lets old ones expire.
    if (nonce !== null && this.#nonces.length < 8) this.#nonces.push(nonce)
    const text = await response.text()
    const type = response.headers.get("content-type") ?? ""
    const body = /[/+]json\b/.test(type) ? (parse(text) ?? {}) : text
    if (response.ok) return { status: response.status, headers: response.headers, body: body as T }
    const document = typeof body === "string" ? { detail: body.trim().slice(0, 500) || `HTTP status ${response.status}` } : (body as ProblemDocument)
    throw new AcmeError(document, { status: response.status, url, retryAfterMs: retryAfterMs(response.headers.get("retry-after"), { now: this.#now() }) })
  }
}

/** No answer at all, or one that says that the authority has trouble. Being told to slow down is no passing trouble: a wait is planned for it. */
function mayPass(error: unknown): boolean {
  if (error instanceof AcmeError) return error.isTemporary && error.type !== "rateLimited"
  return error instanceof Error && error.name !== "SyntaxError"
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener("abort", done)
      if (signal?.aborted === true) reject(signal.reason as Error)
      else resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener("abort", done)
    if (signal?.aborted === true) done()
  })
}
