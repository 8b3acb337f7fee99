/** Keys, requests for certificates, and the certificate that answers TLS-ALPN-01. */
import type { KeyAlgorithm } from "../contract/certificates.ts"
import { toIdentifier } from "./acme/order.ts"
import * as x509 from "./x509.ts"

export interface KeyAndRequest {
  /** PKCS#8, PEM. */
  readonly key: string
  /** DER of PKCS#10 (RFC 2986). */
  readonly request: Uint8Array
}

const algorithms = {
  p256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  p384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  rsa2048: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 },
  rsa4096: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 4096 },
} as const satisfies Record<KeyAlgorithm, object>

/** A new key and the request that goes with it, for all names; there is no common name, which newer profiles refuse. */
export async function requestFor(names: readonly string[], algorithm: KeyAlgorithm): Promise<KeyAndRequest> {
  const signingAlgorithm = algorithms[algorithm]
  const keys = (await crypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"])) as CryptoKeyPair
  const extensions = [new x509.SubjectAlternativeNameExtension(names.map(toIdentifier))]
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm, extensions })
  return { key: await toPem(keys.privateKey), request: new Uint8Array(request.rawData) }
}

/** acmeIdentifier (RFC 8737, 3): critical, an OCTET STRING of 32 bytes. */
const ACME_IDENTIFIER = "1.3.6.1.5.5.7.1.31"

/** What a server shows to a client that offers `acme-tls/1` for that name: signed by itself, good for an hour. */
export async function challengeCertificate(name: string, digest: Uint8Array): Promise<{ cert: string; key: string }> {
  const keys = (await crypto.subtle.generateKey(algorithms.p256, true, ["sign", "verify"])) as CryptoKeyPair
  const now = Date.now()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=ACME challenge",
    notBefore: new Date(now - 3_600_000),
    notAfter: new Date(now + 3_600_000),
    keys,
    signingAlgorithm: algorithms.p256,
    extensions: [new x509.SubjectAlternativeNameExtension([toIdentifier(name)]), new x509.Extension(ACME_IDENTIFIER, true, new Uint8Array([4, digest.length, ...digest]))],
  })
  return { cert: certificate.toString("pem"), key: await toPem(keys.privateKey) }
}

async function toPem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")
}
