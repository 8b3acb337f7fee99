/**
 * Values of the vault as bytes: JSON, or JSON under AES-256-GCM when there is a secret (`EDGE_TLS_SECRET`), for stores that
 * others can read, as a shared Redis. The key is HKDF of the secret (RFC 5869); each value has a nonce of its own.
 */
export class Sealer {
  readonly #key: Promise<CryptoKey> | undefined

  constructor(secret: string | undefined) {
    this.#key = secret === undefined || secret === "" ? undefined : derive(secret)
  }

  async seal(value: unknown): Promise<Uint8Array> {
    const plain = Buffer.from(JSON.stringify(value))
    if (this.#key === undefined) return plain
    const iv = crypto.getRandomValues(new Uint8Array(12))
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await this.#key, plain)
    return Buffer.concat([Buffer.from([SEALED]), iv, Buffer.from(sealed)])
  }

  /** Throws with words when it was sealed with another secret; `what` names it. */
  async open<T>(bytes: Uint8Array, what: string): Promise<T> {
    if (bytes[0] !== SEALED) return JSON.parse(Buffer.from(bytes).toString()) as T
    if (this.#key === undefined) throw new Error(`${what} is sealed; EDGE_TLS_SECRET must be the secret that it was sealed with`)
    try {
      const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes.slice(1, 13) }, await this.#key, bytes.slice(13))
      return JSON.parse(Buffer.from(plain).toString()) as T
    } catch {
      throw new Error(`${what} was sealed with another EDGE_TLS_SECRET`)
    }
  }
}

/** No JSON begins with it. */
const SEALED = 1

async function derive(secret: string): Promise<CryptoKey> {
  const raw = await crypto.subtle.importKey("raw", Buffer.from(secret), "HKDF", false, ["deriveKey"])
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: Buffer.from("edge certificates") }
  return crypto.subtle.deriveKey(how, raw, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"])
}
