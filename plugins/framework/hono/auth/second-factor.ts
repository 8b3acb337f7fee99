/** Time-based one-time passwords (RFC 6238) of an authenticator app, and recovery codes. */
import { randomBytes } from "node:crypto"
import { and, eq, lt } from "drizzle-orm"
import { Secret, TOTP } from "otpauth"
import { database, transaction } from "../db/database.ts"
import { RecoveryCode, SecondFactor, type UserRow } from "./models.ts"
import type { SecretBox } from "./secret-box.ts"

const PERIOD_S = 30
const CODES = 10

export class SecondFactors {
  constructor(
    readonly box: SecretBox,
    /** Shown in the authenticator app beside the user's address. */
    readonly issuer: string,
  ) {}

  /** A new secret, base32; not kept until `enable` sees a code of it. */
  static newSecret(): string {
    return new Secret({ size: 20 }).base32
  }

  /** What the QR code says. */
  uri(user: UserRow, secret: string): string {
    return this.#totp(secret, user.email).toString()
  }

  isOn(user: { id: number }): Promise<boolean> {
    return SecondFactor.where({ user: { id: user.id } }).exists()
  }

  /** Switches it on when the code is right; gives the recovery codes, to be shown once. */
  async enable(user: UserRow, secret: string, code: string): Promise<string[] | undefined> {
    const counter = this.#counterOf(secret, code)
    if (counter === undefined) return undefined
    return transaction(async () => {
      await this.disable(user)
      await SecondFactor.create({ user, secret: this.box.seal(secret, String(user.id)), counter })
      return this.renewCodes(user)
    })
  }

  /** New recovery codes; the old ones are worth nothing. */
  renewCodes(user: { id: number }): Promise<string[]> {
    const codes = Array.from({ length: CODES }, newRecoveryCode)
    return transaction(async () => {
      await RecoveryCode.where({ user: { id: user.id } }).delete()
      await RecoveryCode.createMany(codes.map(code => ({ user: user.id, hash: hashOf(code) })))
      return codes
    })
  }

  async disable(user: { id: number }): Promise<void> {
    await transaction(async () => {
      await SecondFactor.where({ user: { id: user.id } }).delete()
      await RecoveryCode.where({ user: { id: user.id } }).delete()
    })
  }

  /** A code of the app or a recovery code; either is good once, in whatever number of processes it is tried. */
  async verify(user: { id: number }, code: string): Promise<"app" | "recovery" | undefined> {
    const typed = code.replaceAll(/[\s-]/g, "")
    if (/^\d{6}$/.test(typed)) return (await this.#verifyTotp(user, typed)) ? "app" : undefined
    const gone = await RecoveryCode.where({ user: { id: user.id }, hash: hashOf(typed) }).delete()
    return gone > 0 ? "recovery" : undefined
  }

  /** How many recovery codes are left. */
  recoveryCodesLeft(user: { id: number }): Promise<number> {
    return RecoveryCode.where({ user: { id: user.id } }).count()
  }

  async #verifyTotp(user: { id: number }, code: string): Promise<boolean> {
    const factor = await SecondFactor.where({ user: { id: user.id } }).first()
    const secret = factor === null ? undefined : this.box.open(factor.secret, String(user.id))
    const counter = secret === undefined ? undefined : this.#counterOf(secret, code)
    if (factor === null || counter === undefined) return false
    // Who looked over the shoulder types the same code within its half minute: a time step is used once, and none before
    // it (RFC 6238, 5.2). One statement, so that two at once do not both get in.
    const moved: unknown[] = await database().write(db => {
      const t = database().tables.of(SecondFactor)
      return db.update(t).set({ counter }).where(and(eq(t.id, factor.id), lt(t.counter, counter))).returning({ id: t.id })
    })
    return moved.length > 0
  }

  /** The time step that the code belongs to: this one, or one earlier or later as clocks differ. */
  #counterOf(secret: string, code: string): number | undefined {
    const timestamp = Date.now()
    const delta = this.#totp(secret, "").validate({ token: code.replaceAll(/\s/g, ""), window: 1, timestamp })
    return delta === null ? undefined : Math.floor(timestamp / 1000 / PERIOD_S) + delta
  }

  #totp(secret: string, label: string): TOTP {
    return new TOTP({ issuer: this.issuer, label, secret: Secret.fromBase32(secret), digits: 6, period: PERIOD_S })
  }
}

/** 80 random bits as four groups: too many to be guessed, so a plain hash is enough. */
function newRecoveryCode(): string {
  const base32 = new Secret({ buffer: new Uint8Array(randomBytes(10)).buffer }).base32.toLowerCase()
  return base32.replaceAll(/(.{4})(?=.)/g, "$1-")
}

function hashOf(code: string): string {
  return new Bun.CryptoHasher("sha256").update(code.toLowerCase().replaceAll("-", "")).digest("base64url")
}
