/** What a config says of certificates that edge keeps itself: plain data, which goes from the check to the keeper's process. */

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

export interface ExternalAccount {
  /** The id that the authority gave. */
  readonly kid: string
  /** The MAC key that it gave, base64url. */
  readonly hmacKey: string
}

/** What the config wants: `tls = "auto"` or `"internal"` of a site. */
export interface Wanted {
  /** Lower case, IDNA in ASCII; one certificate for all of them. */
  readonly names: readonly string[]
  readonly issuer: "acme" | "internal"
}

export type ChallengeType = "http-01" | "tls-alpn-01" | "dns-01" | "dns-account-01" | "dns-persist-01"

/** Keys of certificates. */
export type KeyAlgorithm = "p256" | "p384" | "rsa2048" | "rsa4096"
