import type { KeyAlgorithm } from "../contract/certificates.ts"

/** Keys of certificates. P-256 is what every client takes and what costs a handshake least. */
export const KEY_ALGORITHMS = ["p256", "p384", "rsa2048", "rsa4096"] as const satisfies readonly KeyAlgorithm[]
