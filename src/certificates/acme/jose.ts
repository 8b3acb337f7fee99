/** Signed requests of ACME: JWS in its flattened JSON form (RFC 7515, 7.2.2) with the members of RFC 8555, 6.2. */
import type { ExternalAccount } from "../../contract/certificates.ts"

/** ECDSA with P-256 and SHA-256: every authority takes it (RFC 7518, 3.4). Ed25519 is refused by most. */
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const

/** The key of an account, and its public half as the authority sees it. */
export interface AccountKey {
  readonly privateKey: CryptoKey
  /** Members in the order of RFC 7638, 3.2, so that JSON.stringify is what the thumbprint is made of. */
  readonly jwk: Readonly<{ crv: string; kty: string; x: string; y: string }>
}

export interface SignedRequest {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

export interface Header {
  readonly url: string
  readonly nonce?: string
  /** URL of the account; without it the public key goes along (a new account). */
  readonly kid?: string
}

export async function newAccountKey(): Promise<AccountKey> {
  const { privateKey } = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])
  return fromPrivate(privateKey)
}

/** PKCS#8 as PEM. */
export async function exportKey({ privateKey }: AccountKey): Promise<string> {
  const bytes = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey))
  return `-----BEGIN PRIVATE KEY-----\n${bytes.toString("base64").replaceAll(/.{64}(?=.)/g, "$&\n")}\n-----END PRIVATE KEY-----\n`
}

/** Throws when it is no P-256 key in PKCS#8. */
export async function importKey(pem: string): Promise<AccountKey> {
  const body = /-----BEGIN PRIVATE KEY-----([\s\S]+?)-----END PRIVATE KEY-----/.exec(pem)?.[1]
  if (body === undefined) throw new Error("no PKCS#8 key in PEM (BEGIN PRIVATE KEY)")
  return fromPrivate(await crypto.subtle.importKey("pkcs8", Buffer.from(body, "base64"), ALGORITHM, true, ["sign"]))
}

async function fromPrivate(privateKey: CryptoKey): Promise<AccountKey> {
  const { crv, kty, x, y } = await crypto.subtle.exportKey("jwk", privateKey)
  return { privateKey, jwk: { crv: crv!, kty: kty!, x: x!, y: y! } }
}

/** RFC 7638: base64url of SHA-256. */
export function thumbprint({ jwk }: AccountKey): string {
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(jwk)).digest("base64url")
}

/** `payload` undefined is POST-as-GET: an empty payload, which is not an empty object (RFC 8555, 6.3). */
export async function sign(payload: unknown, header: Header, key: AccountKey): Promise<SignedRequest> {
  const who = header.kid === undefined ? { jwk: key.jwk } : { kid: header.kid }
  const nonce = header.nonce === undefined ? {} : { nonce: header.nonce }
  const head = base64url(JSON.stringify({ alg: "ES256", ...who, ...nonce, url: header.url }))
  const body = payload === undefined ? "" : base64url(JSON.stringify(payload))
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.privateKey, Buffer.from(`${head}.${body}`))
  return { protected: head, payload: body, signature: Buffer.from(signature).toString("base64url") }
}

/** The account's key, signed with what the authority gave for it out of band (RFC 8555, 7.3.4). */
export function bindExternal({ kid, hmacKey }: ExternalAccount, { jwk }: AccountKey, url: string): SignedRequest {
  const head = base64url(JSON.stringify({ alg: "HS256", kid, url }))
  const payload = base64url(JSON.stringify(jwk))
  const signature = new Bun.CryptoHasher("sha256", Buffer.from(hmacKey, "base64url")).update(`${head}.${payload}`).digest("base64url")
  return { protected: head, payload, signature }
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url")
}
