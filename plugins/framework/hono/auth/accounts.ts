/** People and their passwords. Everything that changes a password, an address or a right of entry goes through here. */
import { checkOptions } from "edge"
import { endSessionsOf } from "../app/session.ts"
import { database, transaction } from "../db/database.ts"
import { toEmail } from "../db/email-address.ts"
import { ValidationError } from "../db/errors.ts"
import { Hashing } from "./hashing.ts"
import { Password, User, type UserRow } from "./models.ts"
import { passwordFault, type PasswordRule, standardRules } from "./password-rules.ts"
import { forgive } from "./throttle.ts"
import { revokeTokens } from "./tokens.ts"

export interface NewUser {
  readonly email: string
  readonly name: string
  /** None: the user cannot log in until a reset link gave one. */
  readonly password?: string
  readonly isStaff?: boolean
  readonly isSuperuser?: boolean
  readonly isActive?: boolean
  readonly emailVerifiedAt?: Date | null
}

/** As addresses are kept and compared. */
export function normalEmail(email: string): string {
  return toEmail(email).toLowerCase()
}

/** What sessions of a user are filed under. */
export function subjectOf(user: number): string {
  return `user ${user}`
}

export class Accounts {
  constructor(
    readonly hashing: Hashing = new Hashing(),
    readonly rules: readonly PasswordRule[] = standardRules,
  ) {}

  find(email: string): Promise<UserRow | null> {
    return User.where({ email: normalEmail(email) }).first()
  }

  /** Throws ValidationError for a weak password, an address that is taken, or a bad value. */
  async create({ password, ...values }: NewUser): Promise<UserRow> {
    const owner = { email: normalEmail(values.email), name: values.name.trim() }
    const hash = password === undefined ? undefined : await this.hashChecked(password, owner)
    return this.createHashed({ ...values, ...owner }, hash)
  }

  /** With a hash that was made before (sign-up keeps it until the address is proven). */
  createHashed(values: Omit<NewUser, "password">, hash: string | undefined): Promise<UserRow> {
    return transaction(async () => {
      const user = await User.create(values)
      if (hash !== undefined) await Password.create({ user, hash })
      return user
    })
  }

  /** The hash of a password that passes the rules; throws ValidationError at "password". */
  async hashChecked(password: string, owner: { email: string; name: string }): Promise<string> {
    const fault = await passwordFault(password, owner, this.rules)
    if (fault !== undefined) throw new ValidationError("user", { password: fault })
    return this.hashing.hash(password)
  }

  /**
   * The user whose address and password these are, if he may log in. Address unknown, no password, switched off: the
   * same work and the same answer, so that neither the words nor the time tell who has an account.
   */
  async verify(email: string, password: string): Promise<UserRow | null> {
    return (await this.check(email, password))?.user ?? null
  }

  /** Like verify, with the stamp of the password that was right. */
  async check(email: string, password: string): Promise<{ user: UserRow; stamp: number } | null> {
    const user = await this.find(email)
    const kept = await Password.where({ user: { id: user?.id ?? 0 } }).first()
    const usable = user?.isActive === true ? kept?.hash : undefined
    if (!(await this.hashing.verify(password, usable)) || user === null || kept === null) return null
    if (this.hashing.isOld(kept.hash)) {
      // Only if it is still that one: a new password meanwhile must not be undone.
      await Password.where({ id: kept.id, hash: kept.hash }).update({ hash: await this.hashing.hash(password) })
    }
    return { user, stamp: kept.changedAt.getTime() }
  }

  /** Whether this is the user's password; for what asks for it once more. */
  async isPassword(user: UserRow, password: string): Promise<boolean> {
    return (await this.verify(user.email, password))?.id === user.id
  }

  /**
   * A new password. Every session of the user ends but that of the cookie `keep`, older mails open nothing, and the
   * account is no longer locked. Throws ValidationError at "password".
   */
  async setPassword(user: UserRow, password: string, options: { keep?: string } = {}): Promise<void> {
    await this.setHash(user, await this.hashChecked(password, user), options)
  }

  /** Like setPassword, with a hash that `hashChecked` gave. */
  async setHash(user: UserRow, hash: string, options: { keep?: string } = {}): Promise<void> {
    checkOptions("setPassword()", options, { keep: "text" })
    await transaction(async () => {
      const changed = await Password.where({ user: { id: user.id } }).update({ hash, changedAt: new Date() })
      if (changed === 0) await Password.create({ user, hash })
      await revokeTokens(user.id)
      await endSessionsOf(subjectOf(user.id), options.keep === undefined ? {} : { except: options.keep })
    })
    await forgive(user.email)
  }

  /** When the user's password was last changed, in ms; 0 when there is none. */
  async passwordStamp(user: { id: number }): Promise<number> {
    return (await Password.where({ user: { id: user.id } }).first())?.changedAt.getTime() ?? 0
  }
}

/** Nobody is logged in as this user from now on, and nobody can log in. */
export async function deactivate(user: UserRow): Promise<void> {
  await User.update(user, { isActive: false })
  await revokeTokens(user.id)
  await endSessionsOf(subjectOf(user.id))
}

/** True once the tables of auth are there (before the first `migrate` they are not). */
export async function hasTables(): Promise<boolean> {
  const { client, dialect } = database()
  const name = User.table
  if (dialect === "sqlite") return client.query("SELECT 1 FROM sqlite_master WHERE name = ?").get(name) !== null
  return (await client.unsafe("SELECT to_regclass($1) AS found", [name]))[0].found !== null
}
