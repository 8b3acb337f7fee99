import { randomBytes } from "node:crypto"
import { gt as after, lt, oneOf } from "../db/compare.ts"
import { database } from "../db/database.ts"
import { and, eq, gt } from "drizzle-orm"
import { Token } from "./models.ts"

const HOUR = 3_600_000

/** What a link in a mail is for, and how long it is good. */
export const PURPOSES = {
  /** Makes the account: it is not there before its address is proven. */
  signup: 24 * HOUR,
  reset: HOUR,
  /** Like reset, for who was given an account and has no password yet. */
  invite: 7 * 24 * HOUR,
  /** Changes an account's address to the one the mail went to. */
  email: 24 * HOUR,
} as const
export type Purpose = keyof typeof PURPOSES

export type TokenRow = Awaited<ReturnType<typeof Token.get>>

/** Makes a token; what is given is the only copy of it, the table has its hash. */
export async function issue(purpose: Purpose, of: { user?: number; email: string; data?: Record<string, string> }): Promise<string> {
  if (Math.random() < 0.02) await Token.where({ expiresAt: lt(new Date()) }).delete()
  const token = randomBytes(32).toString("base64url")
  const expiresAt = new Date(Date.now() + PURPOSES[purpose])
  await Token.create({ hash: hashOf(purpose, token), purpose, user: of.user ?? null, email: of.email, data: of.data ?? {}, expiresAt })
  return token
}

/** Looks at it without using it up: mail programs open links before people do. */
export function peek(purpose: Purpose, token: string): Promise<TokenRow | null> {
  return Token.where({ hash: hashOf(purpose, token), expiresAt: after(new Date()) }).first()
}

/** Uses it up: of any number at once, in any process, one gets the row. */
export async function redeem(purpose: Purpose, token: string): Promise<TokenRow | null> {
  const rows: TokenRow[] = await database().write(db => {
    const t = database().tables.of(Token)
    return db.delete(t).where(and(eq(t.hash, hashOf(purpose, token)), gt(t.expiresAt, new Date()))).returning()
  })
  return rows[0] ?? null
}

/** Every open link of a user: after a new password or address, older mails open nothing. */
export async function revokeTokens(user: number, purposes: readonly Purpose[] = ["reset", "invite", "email"]): Promise<void> {
  await Token.where({ user: { id: user }, purpose: oneOf(purposes) }).delete()
}

/** The purpose is part of it: a token of one is none of another. */
function hashOf(purpose: Purpose, token: string): string {
  return new Bun.CryptoHasher("sha256").update(`${purpose}\0${token}`).digest("base64url")
}
