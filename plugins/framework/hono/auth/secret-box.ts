import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"

/**
 * Encrypts what must be kept readable for us, and not for who gets a copy of the database: AES-256-GCM under a key from
 * the app's secret. When the secret changes, what was sealed is lost.
 */
export class SecretBox {
  readonly #key: Buffer
  constructor(secret: string, purpose: string) {
    this.#key = Buffer.from(hkdfSync("sha256", secret, "", purpose, 32))
  }

  /** `bound` must be the same at opening: a sealed text cannot be moved to another row. */
  seal(text: string, bound: string): string {
    const iv = randomBytes(12)
    const cipher = createCipheriv("aes-256-gcm", this.#key, iv).setAAD(Buffer.from(bound))
    return Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]).toString("base64url")
  }

  /** Undefined when it was sealed with another secret, bound to something else, or changed. */
  open(sealed: string, bound: string): string | undefined {
    const bytes = Buffer.from(sealed, "base64url")
    if (bytes.length < 28) return undefined
    const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, 12)).setAAD(Buffer.from(bound))
    decipher.setAuthTag(bytes.subarray(-16))
    try {
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString("utf8")
    } catch {
      return undefined
    }
  }
}
