/** A certificate that edge gets and renews of itself. */
import type { KeyAlgorithm, Wanted } from "../contract/certificates.ts"

/** What is kept of one. */
export interface Issued {
  readonly names: readonly string[]
  /** PEM: the certificate and those between it and the root. */
  readonly chain: string
  /** PEM, PKCS#8. */
  readonly key: string
  /** URL of the authority's directory, or "internal". */
  readonly authority: string
  readonly algorithm: KeyAlgorithm
  readonly profile?: string
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  readonly renewal?: Renewal
}

/** When the authority would like the renewal (RFC 9773, 4.2). */
export interface Renewal {
  /** Its window. */
  readonly start: number
  readonly end: number
  /** The moment that was drawn from the window, and is kept while the window stays. */
  readonly at: number
  /** When to ask for the window again. */
  readonly askAgainAt: number
  /** URL of a page that says why. */
  readonly explanation?: string
}

/** An order under way: with it, a process that dies between the order and its end loses nothing. */
export interface OrderUnderWay {
  readonly url: string
  readonly authority: string
  readonly key: string
  /** DER of the request, base64. */
  readonly request: string
  readonly startedAt: number
}

/** What went wrong last, so that nobody asks again too soon. */
export interface Trouble {
  readonly failures: number
  /** In words for the operator. */
  readonly why: string
  /** Not before. */
  readonly againAt: number
}

/** Name of a certificate in the store and for commands: its first name, and a mark where there are several. */
export function idOf({ names }: Pick<Wanted, "names">): string {
  const [first = "", ...others] = names
  return others.length === 0 ? first : `${first}+${Bun.hash(names.toSorted().join()).toString(36)}`
}
