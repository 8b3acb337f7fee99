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
  readonly challenges: readonly ("http-01" | "tls-alpn-01")[]
}

/** The authorities of who writes none. */
export const DEFAULT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
