/** One certificate from the order to the chain (RFC 8555, 7.4), every step taken up again from its URL after a crash. */
import type { Challenge } from "./challenge.ts"
import { AcmeError, type ProblemDocument } from "./problem.ts"
import { retryAfterMs } from "./retry-after.ts"
import type { Answer, Signer, Transport } from "./transport.ts"

export interface Identifier {
  readonly type: "dns" | "ip"
  readonly value: string
}

export interface Order {
  readonly status: "pending" | "ready" | "processing" | "valid" | "invalid"
  readonly identifiers: readonly Identifier[]
  readonly authorizations: readonly string[]
  readonly finalize: string
  readonly certificate?: string
  readonly error?: ProblemDocument
  readonly expires?: string
}

export interface Authorization {
  readonly status: "pending" | "valid" | "invalid" | "deactivated" | "expired" | "revoked"
  readonly identifier: Identifier
  readonly challenges: readonly Challenge[]
  readonly wildcard?: boolean
}

export interface OrderRequest {
  /** Domain names (IDNA in ASCII, `*.` for wildcards) and IP addresses. */
  readonly names: readonly string[]
  /** draft-ietf-acme-profiles; the authority's own choice when absent. */
  readonly profile?: string
  /** The certificate that this one follows (RFC 9773, 5); dropped when the authority does not want it. */
  readonly replaces?: string
}

export interface Placed {
  readonly url: string
  readonly order: Order
}

/** What may take minutes at an authority under load. */
const PATIENCE_MS = 10 * 60_000
const FIRST_LOOK_MS = 250
const LAST_LOOK_MS = 10_000

export class Orders {
  readonly #transport: Transport
  readonly #signer: Signer

  constructor(transport: Transport, signer: Signer) {
    this.#transport = transport
    this.#signer = signer
  }

  async place({ names, profile, replaces }: OrderRequest, signal?: AbortSignal): Promise<Placed> {
    const { newOrder } = await this.#transport.directory(signal)
    const identifiers = names.map(toIdentifier)
    const payload = { identifiers, ...(profile !== undefined && { profile }) }
    try {
      return placed(await this.#post<Order>(newOrder, { ...payload, ...(replaces !== undefined && { replaces }) }, signal))
    } catch (error) {
      // Replaced already, or another account's: the certificate is needed all the same.
      if (replaces === undefined || !isRefusedReplacement(error)) throw error
      return placed(await this.#post<Order>(newOrder, payload, signal))
    }
  }

  /** An order under way, as it is now. */
  async look(url: string, signal?: AbortSignal): Promise<Order> {
    return (await this.#post<Order>(url, undefined, signal)).body
  }

  async authorization(url: string, signal?: AbortSignal): Promise<Authorization> {
    return (await this.#post<Authorization>(url, undefined, signal)).body
  }

  /** Says that the authority may look. */
  async respond(challenge: Challenge, signal?: AbortSignal): Promise<void> {
    await this.#post(challenge.url, {}, signal)
  }

  /** Until the authority has looked; throws what it says when it did not find what it wanted. */
  async validated(url: string, signal?: AbortSignal): Promise<void> {
    const authorization = await this.#poll<Authorization>(url, ({ status }) => status !== "pending", signal)
    if (authorization.status === "valid") return
    const { identifier, challenges, status } = authorization
    const failed = challenges.find(({ error }) => error !== undefined)
    const document = failed?.error ?? { detail: `the authorization is ${status}` }
    const detail = `${identifier.value}${failed === undefined ? "" : ` by ${failed.type}`}: ${document.detail ?? ""}`
    throw new AcmeError({ ...document, detail }, { status: document.status ?? 403, url })
  }

  /** Hands in the request for the certificate and waits for its chain, PEM. `csr` is DER. */
  async finish({ url, order }: Placed, csr: Uint8Array, signal?: AbortSignal): Promise<string> {
    const ready = order.status === "pending" ? await this.#poll<Order>(url, ({ status }) => status !== "pending", signal) : order
    const handed = ready.status === "ready" ? (await this.#post<Order>(ready.finalize, { csr: Buffer.from(csr).toString("base64url") }, signal)).body : ready
    const done = handed.status === "processing" || handed.status === "ready" ? await this.#poll<Order>(url, ({ status }) => status !== "processing" && status !== "ready", signal) : handed
    if (done.status !== "valid" || done.certificate === undefined) {
      throw new AcmeError(done.error ?? { detail: `the order is ${done.status}` }, { status: done.error?.status ?? 403, url })
    }
    return this.chain(done.certificate, signal)
  }

  async chain(url: string, signal?: AbortSignal): Promise<string> {
    const { body } = await this.#post<string>(url, undefined, signal)
    if (!body.includes("-----BEGIN CERTIFICATE-----")) throw new Error(`${url} gave no certificate in PEM`)
    return body
  }

  /** `certificate` is DER; `reason` as RFC 5280, 5.3.1 numbers them. */
  async revoke(certificate: Uint8Array, reason: number, signal?: AbortSignal): Promise<void> {
    const { revokeCert } = await this.#transport.directory(signal)
    await this.#post(revokeCert, { certificate: Buffer.from(certificate).toString("base64url"), reason }, signal)
  }

  #post<T>(url: string, payload: unknown, signal?: AbortSignal): Promise<Answer<T>> {
    return this.#transport.post<T>(url, payload, this.#signer, signal)
  }

  /** Looks again and again, first soon; Retry-After lengthens a wait, within the same ceiling. */
  async #poll<T>(url: string, done: (body: T) => boolean, signal?: AbortSignal): Promise<T> {
    const end = this.#transport.now + PATIENCE_MS
    for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 2, LAST_LOOK_MS)) {
      const { body, headers } = await this.#post<T>(url, undefined, signal)
      if (done(body)) return body
      const { now } = this.#transport
      if (now > end) throw new Error(`${url} is still under way after ${PATIENCE_MS / 60_000} minutes`)
      const asked = retryAfterMs(headers.get("retry-after"), { now, most: LAST_LOOK_MS }) ?? 0
      // Authorities say "5" out of habit where they are done in a tenth of a second: the first looks do not wait for that.
      await this.#transport.wait(wait < 2000 ? wait : Math.max(wait, asked), signal)
    }
  }
}

function placed({ headers, body }: Answer<Order>): Placed {
  const url = headers.get("location")
  if (url === null) throw new Error("the authority took an order and did not say where it is (no Location)")
  return { url, order: body }
}

function isRefusedReplacement(error: unknown): boolean {
  if (!(error instanceof AcmeError)) return false
  return error.type === "alreadyReplaced" || error.status === 409 || (error.type === "malformed" && /replac/i.test(error.message))
}

/** RFC 8738: an address is an identifier of its own kind. */
export function toIdentifier(name: string): Identifier {
  return { type: /^[\d.]+$|:/.test(name) ? "ip" : "dns", value: name }
}
