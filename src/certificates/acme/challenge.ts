/** What an authority must find to believe that a name is ours. */
import { type AccountKey, thumbprint } from "./jose.ts"
import type { ProblemDocument } from "./problem.ts"

/** RFC 8555, 8; dns-account-01 (draft-ietf-acme-dns-account-label) and dns-persist-01 have no token of the classic kind. */
export interface Challenge {
  readonly type: string
  readonly url: string
  readonly status: "pending" | "processing" | "valid" | "invalid"
  readonly token?: string
  readonly error?: ProblemDocument
  /** Of dns-persist-01: the names of the authority that a record may have. */
  readonly "issuer-domain-names"?: readonly string[]
}

/** RFC 8555, 8.1: what `http-01` serves at /.well-known/acme-challenge/TOKEN. */
export function keyAuthorization({ token = "" }: Challenge, key: AccountKey): string {
  return `${token}.${thumbprint(key)}`
}

/** RFC 8555, 8.4: the TXT record of `dns-01` and `dns-account-01`. */
export function dnsValue(challenge: Challenge, key: AccountKey): string {
  return sha256(keyAuthorization(challenge, key)).toString("base64url")
}

/** Where the record of `dns-01` stands; a wildcard's is that of its base (RFC 8555, 7.1.3). */
export function dnsName(domain: string): string {
  return `_acme-challenge.${base(domain)}`
}

/** `_` + base32 of the first ten bytes of the hash of the account's URL, so that several accounts do not share a record. */
export function accountDnsName(domain: string, kid: string): string {
  return `_${base32(sha256(kid).subarray(0, 10))}._acme-challenge.${base(domain)}`
}

/** A record that stays: `dns-persist-01` looks for it at each renewal, and nothing has to be written again. */
export function persistentRecord(domain: string, { issuer, kid, wildcard }: { issuer: string; kid: string; wildcard: boolean }): { name: string; value: string } {
  return { name: `_validation-persist.${base(domain)}`, value: `${issuer}; accounturi=${kid}${wildcard ? "; policy=wildcard" : ""}` }
}

/** RFC 8737, 3: SHA-256 of the key authorization, which the special certificate carries. */
export function alpnDigest(challenge: Challenge, key: AccountKey): Uint8Array {
  return sha256(keyAuthorization(challenge, key))
}

function base(domain: string): string {
  return domain.startsWith("*.") ? domain.slice(2) : domain
}

function sha256(text: string): Buffer {
  return new Bun.CryptoHasher("sha256").update(text).digest() as Buffer
}

/** RFC 4648, 6, in lower case and without padding. */
function base32(bytes: Uint8Array): string {
  const digits = "abcdefghijklmnopqrstuvwxyz234567"
  let bits = ""
  for (const byte of bytes) bits += byte.toString(2).padStart(8, "0")
  return bits.replaceAll(/.{1,5}/g, five => digits[Number.parseInt(five.padEnd(5, "0"), 2)]!)
}
