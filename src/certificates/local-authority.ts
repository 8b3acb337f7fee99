/** `tls = "internal"`: an authority of edge's own, for names that no public one may sign. Root and intermediate are made once. */
import type { Authority } from "./authority.ts"
import type { Issued } from "./managed.ts"
import type { Wanted } from "../contract/certificates.ts"
import { toIdentifier } from "./acme/order.ts"
import type { Vault } from "./vault.ts"
import * as x509 from "./x509.ts"

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const
const DAY = 86_400_000
/** A root is trusted by hand, so it lasts; what it signs is made anew without anybody noticing. */
const ROOT_DAYS = 3650
const INTERMEDIATE_DAYS = 365
const LEAF_DAYS = 7
/** Clocks of clients may be behind. */
const BACKDATED_MS = 3_600_000

interface Signing {
  readonly certificate: x509.X509Certificate
  readonly key: CryptoKey
}

/** PEM of the root and the intermediate with their keys, as they are kept. */
export interface LocalRecord {
  readonly root: string
  readonly rootKey: string
  readonly intermediate: string
  readonly intermediateKey: string
}

export class LocalAuthority implements Authority {
  readonly id = "internal"
  readonly #vault: Vault
  readonly #now: () => number

  constructor(vault: Vault, { now = Date.now }: { now?: () => number } = {}) {
    this.#vault = vault
    this.#now = now
  }

  /** PEM of the root, made when there is none: what `edge trust` installs. */
  async root(): Promise<string> {
    return (await this.#record()).root
  }

  async issue(wanted: Wanted): Promise<Issued> {
    const record = await this.#record()
    const issuer = await signing(record.intermediate, record.intermediateKey)
    const keys = await newKeys()
    const extensions = [
      new x509.SubjectAlternativeNameExtension(wanted.names.map(toIdentifier)),
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ]
    const leaf = await this.#sign(keys, { subject: "", days: LEAF_DAYS, issuer, extensions })
    const times = { notBefore: leaf.notBefore.getTime(), notAfter: leaf.notAfter.getTime() }
    return { names: wanted.names, chain: `${leaf.toString("pem")}\n${record.intermediate}`, key: await toPem(keys.privateKey), authority: this.id, algorithm: "p256", ...times }
  }

  async #record(): Promise<LocalRecord> {
    const known = await this.#vault.localAuthority()
    if (known !== undefined && new x509.X509Certificate(known.intermediate).notAfter.getTime() > this.#now() + 2 * LEAF_DAYS * DAY) return known
    const made = known === undefined ? await this.#makeRoot() : known
    const root = await signing(made.root, made.rootKey)
    const keys = await newKeys()
    const extensions = [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)]
    const intermediate = await this.#sign(keys, { subject: "CN=edge local intermediate", days: INTERMEDIATE_DAYS, issuer: root, extensions })
    const record = { ...made, intermediate: intermediate.toString("pem"), intermediateKey: await toPem(keys.privateKey) }
    // Two machines at once: the first one's root is everybody's.
    if (await this.#vault.keepLocalAuthority(record, known)) return record
    return this.#record()
  }

  async #makeRoot(): Promise<Pick<LocalRecord, "root" | "rootKey">> {
    const keys = await newKeys()
    const extensions = [new x509.BasicConstraintsExtension(true, 1, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)]
    const root = await this.#sign(keys, { subject: `CN=edge local authority ${new Date(this.#now()).getUTCFullYear()}`, days: ROOT_DAYS, extensions })
    return { root: root.toString("pem"), rootKey: await toPem(keys.privateKey) }
  }

  /** Without `issuer` it signs itself. */
  async #sign(keys: CryptoKeyPair, o: { subject: string; days: number; issuer?: Signing; extensions: x509.Extension[] }): Promise<x509.X509Certificate> {
    const { issuer } = o
    const own = await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)
    const authority = await x509.AuthorityKeyIdentifierExtension.create(issuer?.certificate.publicKey ?? keys.publicKey)
    return x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: o.subject,
      issuer: issuer?.certificate.subject ?? o.subject,
      notBefore: new Date(this.#now() - BACKDATED_MS),
      notAfter: new Date(this.#now() + o.days * DAY),
      publicKey: keys.publicKey,
      signingKey: issuer?.key ?? keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [...o.extensions, own, authority],
    })
  }
}

/** RFC 5280, 4.1.2.2: positive, at most 20 octets, not to be guessed. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[0]! &= 0x7f
  bytes[0]! |= 0x40
  return Buffer.from(bytes).toString("hex")
}

async function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])
}

async function toPem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")
}

async function signing(certificate: string, key: string): Promise<Signing> {
  return { certificate: new x509.X509Certificate(certificate), key: await crypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(key), ALGORITHM, true, ["sign"]) }
}
