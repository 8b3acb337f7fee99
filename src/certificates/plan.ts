/** Which proofs and authorities a config may name for certificates that edge gets. */
import type { ChallengeType } from "../contract/certificates.ts"

export const CHALLENGE_TYPES = ["http-01", "tls-alpn-01", "dns-01", "dns-account-01", "dns-persist-01"] as const satisfies readonly ChallengeType[]

/** The authorities of who writes none. */
export const DEFAULT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
