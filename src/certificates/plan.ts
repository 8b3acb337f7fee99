/** What a config says of certificates that edge keeps itself: plain data, which goes from the check to the keeper's process. */
import type { ExternalAccount } from "./acme/jose.ts"
import type { KeyAlgorithm } from "./key-algorithm.ts"
import type { Wanted } from "./managed.ts"

export interface CertificatePlan {
  readonly wanted: readonly Wanted[]
  readonly acme: AcmeSettings
}

export interface AcmeSettings {
  readonly emails: readonly string[]
  /** In the order in which they are tried. */
  readonly authorities: readonly { readonly directory: string; readonly external?: ExternalAccount }[]
  /** File of a root to trust them by, absolute. */
  readonly ca?: string
  readonly profile?: string
  readonly algorithm: KeyAlgorithm
  /** Proofs in the order in which they are tried. */
  readonly challenges: readonly ChallengeType[]
  /** Where to look whether a record is there: an address of a name server; else those of the zone. */
  readonly resolver?: string
}

export const CHALLENGE_TYPES = ["http-01", "tls-alpn-01", "dns-01", "dns-account-01", "dns-persist-01"] as const
export type ChallengeType = (typeof CHALLENGE_TYPES)[number]

/** The authorities of who writes none. */
export const DEFAULT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
