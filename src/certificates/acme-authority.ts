/** A certificate by ACME, from the account to the chain, in steps that a crash does not lose. */
import { X509Certificate } from "node:crypto"
import { openAccount } from "./acme/account.ts"
import type { ExternalAccount, KeyAlgorithm, Wanted } from "../contract/certificates.ts"
import { exportKey, importKey, newAccountKey } from "./acme/jose.ts"
import { type Authorization, type Identifier, Orders, type Placed } from "./acme/order.ts"
import { AcmeError } from "./acme/problem.ts"
import { certificateId, drawMoment, renewalInfo } from "./acme/renewal-info.ts"
import { type Signer, Transport, type TransportOptions } from "./acme/transport.ts"
import type { Authority, IssueOptions } from "./authority.ts"
import type { Issued, OrderUnderWay, Renewal } from "./managed.ts"
import type { Proof } from "./proof.ts"
import { requestFor } from "./requests.ts"
import type { Vault } from "./vault.ts"

export interface AcmeOptions extends TransportOptions {
  readonly emails: readonly string[]
  readonly external?: ExternalAccount
  readonly profile?: string
  readonly algorithm: KeyAlgorithm
  /** In the order in which they are tried. */
  readonly proofs: readonly Proof[]
  readonly random?: () => number
}

/** An order that is older is begun anew: authorities keep them for a week at most. */
const ORDER_MS = 24 * 3_600_000

export class AcmeAuthority implements Authority {
  readonly #options: AcmeOptions
  readonly #transport: Transport
  readonly #vault: Vault

  constructor(options: AcmeOptions, vault: Vault) {
    this.#options = options
    this.#transport = new Transport(options)
    this.#vault = vault
  }

  get id(): string {
    return this.#options.directory
  }

  async issue(wanted: Wanted, { last, failures, signal }: IssueOptions): Promise<Issued> {
    const signer = await this.#signer(signal)
    const orders = new Orders(this.#transport, signer)
    const begun = await this.#begun(wanted, { orders, signal })
    const { placed, order } = begun ?? (await this.#begin(wanted, { orders, last, signal }))
    try {
      await Promise.all(placed.order.authorizations.map(url => this.#authorize(url, { orders, signer, failures, signal })))
      const chain = await orders.finish({ url: placed.url, order: await orders.look(placed.url, signal) }, Buffer.from(order.request, "base64"), signal)
      return await this.#issued(wanted, { chain, key: order.key, signal })
    } catch (error) {
      // An order that the authority has given up is of no use to the next try; one that was only interrupted is.
      if (error instanceof AcmeError && !error.isTemporary) await this.#vault.keepOrder(wanted, undefined)
      throw error
    }
  }

  async renewal({ chain, renewal: last }: Issued, signal: AbortSignal): Promise<Renewal | undefined> {
    const id = certificateId(chain)
    const info = id === undefined ? undefined : await renewalInfo(this.#transport, id, signal)
    if (info === undefined) return undefined
    const { start, end, explanation, askAgainMs } = info
    const at = last?.start === start && last.end === end ? last.at : drawMoment(info, this.#options.random)
    return { start, end, at, askAgainAt: this.#transport.now + askAgainMs, ...(explanation !== undefined && { explanation }) }
  }

  /** `certificate` is DER; `reason` as RFC 5280, 5.3.1 numbers them. */
  async revoke(certificate: Uint8Array, reason: number, signal: AbortSignal): Promise<void> {
    await new Orders(this.#transport, await this.#signer(signal)).revoke(certificate, reason, signal)
  }

  /**
   * The account of this authority, made when there is none. Its key is kept before the authority hears of it: whoever dies in
   * between leaves a key, with which the next one finds the same account (RFC 8555, 7.3.1).
   */
  async #signer(signal: AbortSignal): Promise<Required<Signer>> {
    const known = await this.#vault.account(this.id)
    if (known === undefined) {
      await this.#vault.keepAccount(this.id, { key: await exportKey(await newAccountKey()), kid: "" }, { onlyIfAbsent: true })
      return this.#signer(signal)
    }
    const key = await importKey(known.key)
    if (known.kid !== "") return { key, kid: known.kid }
    const { emails, external } = this.#options
    const signer = await openAccount(this.#transport, { key, emails, ...(external !== undefined && { external }) }, signal)
    await this.#vault.keepAccount(this.id, { key: known.key, kid: signer.kid }, { onlyIfAbsent: false })
    return signer
  }

  /** What a process before us had begun, when it can go on. */
  async #begun(wanted: Wanted, { orders, signal }: { orders: Orders; signal: AbortSignal }): Promise<{ placed: Placed; order: OrderUnderWay } | undefined> {
    const order = await this.#vault.order(wanted)
    if (order === undefined || order.authority !== this.id || this.#transport.now - order.startedAt > ORDER_MS) return undefined
    try {
      const now = await orders.look(order.url, signal)
      return now.status === "invalid" ? undefined : { placed: { url: order.url, order: now }, order }
    } catch (error) {
      // The authority has forgotten it.
      if (error instanceof AcmeError && !error.isTemporary) return undefined
      throw error
    }
  }

  async #begin(wanted: Wanted, { orders, last, signal }: { orders: Orders; last: Issued | undefined; signal: AbortSignal }): Promise<{ placed: Placed; order: OrderUnderWay }> {
    const { algorithm, profile } = this.#options
    const { key, request } = await requestFor(wanted.names, algorithm)
    const replaces = last?.authority === this.id ? certificateId(last.chain) : undefined
    const placed = await orders.place({ names: wanted.names, ...(profile !== undefined && { profile }), ...(replaces !== undefined && { replaces }) }, signal)
    const order = { url: placed.url, authority: this.id, key, request: Buffer.from(request).toString("base64"), startedAt: this.#transport.now }
    await this.#vault.keepOrder(wanted, order)
    return { placed, order }
  }

  /** One proof of those that the authority offers; after a failure, which ends the order, the next order tries the next one. */
  async #authorize(url: string, { orders, signer, failures, signal }: { orders: Orders; signer: Required<Signer>; failures: number; signal: AbortSignal }): Promise<void> {
    const authorization = await orders.authorization(url, signal)
    if (authorization.status === "valid") return
    const { proof, challenge } = this.#choose(authorization, failures)
    const hide = await proof.show({ challenge, name: authorization.identifier.value, wildcard: authorization.wildcard === true, signer, signal })
    try {
      if (challenge.status === "pending") await orders.respond(challenge, signal)
      await orders.validated(url, signal)
    } finally {
      await hide().catch(() => {
        // What stays behind ends by itself, or is found by the next order.
      })
    }
  }

  #choose({ challenges, identifier, wildcard }: Authorization, failures: number): { proof: Proof; challenge: Authorization["challenges"][number] } {
    const possible = this.#options.proofs.flatMap(proof => {
      const challenge = challenges.find(({ type, status }) => type === proof.type && status !== "invalid")
      return challenge === undefined ? [] : [{ proof, challenge }]
    })
    const chosen = possible[failures % possible.length]
    if (chosen !== undefined) return chosen
    throw new Error(noProof(identifier, { wildcard: wildcard === true, offered: challenges.map(({ type }) => type), ours: this.#options.proofs.map(({ type }) => type) }))
  }

  async #issued(wanted: Wanted, { chain, key, signal }: { chain: string; key: string; signal: AbortSignal }): Promise<Issued> {
    const { validFromDate, validToDate } = new X509Certificate(chain) as X509Certificate & { validFromDate: Date; validToDate: Date }
    const { algorithm, profile } = this.#options
    const times = { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() }
    const issued: Issued = { names: wanted.names, chain, key, authority: this.id, algorithm, ...times, ...(profile !== undefined && { profile }) }
    // A wish can be had later, too; the certificate is what was wanted.
    const renewal = await this.renewal(issued, signal).catch(() => undefined)
    return renewal === undefined ? issued : { ...issued, renewal }
  }
}

function noProof({ value }: Identifier, { wildcard, offered, ours }: { wildcard: boolean; offered: readonly string[]; ours: readonly string[] }): string {
  const why = wildcard ? "a wildcard is proved by DNS alone: it needs a provider (tls.acme.dns)" : `it takes ${offered.join(", ")}, edge is set up for ${ours.join(", ")}`
  return `${wildcard ? "*." : ""}${value}: the authority offers no proof that is possible here; ${why}`
}
