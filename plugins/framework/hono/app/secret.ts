import { randomBytes, timingSafeEqual } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const FILE = ".secret"

/**
 * The app's secret: what the app says, SECRET_KEY, or a random one kept beside the app in a file that only its user
 * reads, the same for every worker.
 */
export function findSecret(given: string | undefined, env: Readonly<Record<string, string | undefined>>, dir: string): { secret: string; source: SecretSource } {
  if (given !== undefined) return { secret: strong(given, "the app's `secret`"), source: "app" }
  const fromEnv = env.SECRET_KEY
  if (fromEnv !== undefined && fromEnv !== "") return { secret: strong(fromEnv, "SECRET_KEY"), source: "environment" }
  return { secret: keptIn(join(dir, FILE)), source: "file" }
}
export type SecretSource = "app" | "environment" | "file"

function strong(secret: string, what: string): string {
  if (secret.length < 16) throw new Error(`${what} has ${secret.length} characters: it needs 16 or more, at random`)
  return secret
}

function keptIn(file: string): string {
  if (!existsSync(file)) {
    try {
      // "wx": of several workers that start at once one makes it, the others read it.
      writeFileSync(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" })
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw new Error(`set SECRET_KEY: ${file} cannot be written (${String(error)})`, { cause: error })
    }
  }
  for (let tries = 0; ; tries++) {
    const secret = readFileSync(file, "utf8").trim()
    if (secret.length >= 16) return secret
    // Another worker has made it and not written it yet.
    if (tries > 100) throw new Error(`${file} holds no secret: remove it, and a new one is made`)
    Bun.sleepSync(5)
  }
}

/** Makes and checks signatures; one purpose's tokens are worth nothing for another. */
export class Signer {
  readonly #secret: string
  constructor(secret: string) {
    this.#secret = secret
  }

  /** HMAC-SHA-256 of the text, base64url. */
  mac(purpose: string, text: string): string {
    return new Bun.CryptoHasher("sha256", this.#secret).update(`${purpose}\0${text}`).digest("base64url")
  }

  /** The text with its end of life and signature: `base64url.expiry.mac`. It can be read by whoever has it. */
  sign(purpose: string, text: string, ttlMs: number): string {
    const body = `${Buffer.from(text).toString("base64url")}.${(Date.now() + ttlMs).toString(36)}`
    return `${body}.${this.mac(purpose, body)}`
  }

  /** The text, or undefined when the token is forged, of another purpose or too old. */
  unsign(purpose: string, token: string): string | undefined {
    const cut = token.lastIndexOf(".")
    const body = token.slice(0, Math.max(cut, 0))
    if (cut < 0 || !same(token.slice(cut + 1), this.mac(purpose, body))) return undefined
    const [text = "", expiry = ""] = body.split(".")
    return Number.parseInt(expiry, 36) > Date.now() ? Buffer.from(text, "base64url").toString() : undefined
  }
}

/** In constant time for texts of one length. */
export function same(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

/** 192 random bits, base64url: what session ids and tokens are. */
export function randomId(): string {
  return randomBytes(24).toString("base64url")
}
