/** Signatures of RFC 7518, 3 and RFC 8037, 3.1, checked synchronously. */
import { constants, createHmac, type KeyObject, timingSafeEqual, verify } from "node:crypto"

export interface Algorithm {
  /** Whether the key is of the kind that the algorithm takes; one of another kind is never tried. */
  fits(key: KeyObject): boolean
  verify(data: Buffer, signature: Buffer, key: KeyObject): boolean
}

/** Fewer bits are refused (RFC 7518, 3.3). */
const LEAST_RSA_BITS = 2048

export const algorithms: Readonly<Record<string, Algorithm>> = {
  HS256: hmac("sha256", 32),
  HS384: hmac("sha384", 48),
  HS512: hmac("sha512", 64),
  RS256: rsa("sha256"),
  RS384: rsa("sha384"),
  RS512: rsa("sha512"),
  PS256: pss("sha256"),
  PS384: pss("sha384"),
  PS512: pss("sha512"),
  ES256: ecdsa("sha256", { curve: "prime256v1", bytes: 64 }),
  ES384: ecdsa("sha384", { curve: "secp384r1", bytes: 96 }),
  ES512: ecdsa("sha512", { curve: "secp521r1", bytes: 132 }),
  EdDSA: {
    fits: key => key.type === "public" && key.asymmetricKeyType === "ed25519",
    verify: (data, signature, key) => signature.length === 64 && verify(null, data, key, signature),
  },
}

/** A key as long as the hash at least (RFC 7518, 3.2): shorter ones are guessed from one token. */
function hmac(hash: string, bytes: number): Algorithm {
  return {
    fits: key => key.type === "secret" && (key.symmetricKeySize ?? 0) >= bytes,
    verify: (data, signature, key) => signature.length === bytes && timingSafeEqual(createHmac(hash, key).update(data).digest(), signature),
  }
}

function isRsa(key: KeyObject): boolean {
  return key.type === "public" && key.asymmetricKeyType === "rsa" && (key.asymmetricKeyDetails?.modulusLength ?? LEAST_RSA_BITS) >= LEAST_RSA_BITS
}

function rsa(hash: string): Algorithm {
  return { fits: isRsa, verify: (data, signature, key) => verify(hash, data, { key, padding: constants.RSA_PKCS1_PADDING }, signature) }
}

function pss(hash: string): Algorithm {
  const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return { fits: isRsa, verify: (data, signature, key) => verify(hash, data, { key, ...options }, signature) }
}

/** The length is checked here: the signature is two numbers of the curve's size, nothing else (CVE-2022-21449 was zeros). */
function ecdsa(hash: string, { curve, bytes }: { curve: string; bytes: number }): Algorithm {
  return {
    fits: key => key.type === "public" && key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === curve,
    verify: (data, signature, key) => signature.length === bytes && verify(hash, data, { key, dsaEncoding: "ieee-p1363" }, signature),
  }
}
