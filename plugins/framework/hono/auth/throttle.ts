import { and, eq, gt, sql } from "drizzle-orm"
import { lt, lte, oneOf } from "../db/compare.ts"
import { database } from "../db/database.ts"
import { Throttle } from "./models.ts"

export interface Limit {
  /** Attempts that are let through... */
  readonly attempts: number
  /** ...within this time, counted from the first. */
  readonly perMs: number
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/**
 * Who may try how often. By account: guesses at one password from many addresses. By address: one password tried on many
 * accounts, and mails sent to strangers.
 */
export const LIMITS = {
  login: { account: { attempts: 10, perMs: 15 * MINUTE }, address: { attempts: 60, perMs: 15 * MINUTE } },
  code: { account: { attempts: 5, perMs: 15 * MINUTE }, address: { attempts: 60, perMs: 15 * MINUTE } },
  mail: { account: { attempts: 5, perMs: HOUR }, address: { attempts: 20, perMs: HOUR } },
  password: { account: { attempts: 10, perMs: 15 * MINUTE }, address: { attempts: 60, perMs: 15 * MINUTE } },
} as const satisfies Record<string, Record<"account" | "address", Limit>>
export type Act = keyof typeof LIMITS
export type Limits = Readonly<Record<Act, Readonly<Record<"account" | "address", Limit>>>>

/** Rows older than this say nothing: no limit is counted over a longer time. */
export const LONGEST_MS = 24 * HOUR
/** Rows kept at most: a flood of made-up accounts and addresses must not fill the disk. About 100 bytes each. */
const MOST_ROWS = 100_000

/**
 * Counts an attempt before it is made, so that many at once, in any number of processes, get no more than the limit.
 * Gives 0 when it may go on, else the seconds until it may be tried again.
 */
export async function attempt(act: Act, who: { account?: string; address: string; limits?: Limits }): Promise<number> {
  if (Math.random() < 0.01) await sweep()
  const limits = (who.limits ?? LIMITS)[act]
  const byAddress = await count(keyOf(act, "address", network(who.address)), limits.address)
  if (byAddress > 0 || who.account === undefined) return byAddress
  return count(keyOf(act, "account", who.account), limits.account)
}

/** The attempt was right: it does not count against the address, behind which a whole office may sit. */
export async function refund(act: Act, address: string): Promise<void> {
  await database().write(db => {
    const t = database().tables.of(Throttle)
    return db.update(t).set({ count: sql`${t.count} - 1` }).where(and(eq(t.key, keyOf(act, "address", network(address))), gt(t.count, 0)))
  })
}

/** The attempt was right, or the person proved in another way who it is: the account's count starts anew. */
export async function forgive(account: string, acts: readonly Act[] = ["login", "code", "password"]): Promise<void> {
  await Throttle.where({ key: oneOf(acts.map(act => keyOf(act, "account", account))) }).delete()
}

/** For `unlock` and the admin: true while nobody may try this account's password. */
export async function isLocked(account: string, limits: Limits = LIMITS): Promise<boolean> {
  const row = await Throttle.where({ key: keyOf("login", "account", account) }).first()
  const { attempts, perMs } = limits.login.account
  return row !== null && row.count >= attempts && row.since + perMs > Date.now()
}

async function count(key: string, { attempts, perMs }: Limit): Promise<number> {
  const now = Date.now()
  const rows: { count: number; since: number }[] = await database().write(db => {
    const t = database().tables.of(Throttle)
    const over = sql`${t.since} + ${sql.raw(String(perMs))} <= ${sql.raw(String(now))}`
    return db
      .insert(t)
      .values({ key, count: 1, since: now })
      .onConflictDoUpdate({
        target: t.key,
        set: {
          count: sql`case when ${over} then 1 else ${t.count} + 1 end`,
          since: sql`case when ${over} then ${sql.raw(String(now))} else ${t.since} end`,
        },
      })
      .returning({ count: t.count, since: t.since })
  })
  const { count: made, since } = rows[0]!
  return made <= attempts ? 0 : Math.max(1, Math.ceil((since + perMs - now) / 1000))
}

/** Takes away what is over, and of the rest the oldest past the bound. */
export async function sweep(most = MOST_ROWS): Promise<void> {
  await Throttle.where({ since: lt(Date.now() - LONGEST_MS) }).delete()
  const oldest = await Throttle.order("-since").offset(most).limit(1).pluck("since")
  if (oldest.length > 0) await Throttle.where({ since: lte(oldest[0]!) }).delete()
}

/** Hashed: the table names no person, whatever strangers type. */
function keyOf(act: Act, scope: "account" | "address", value: string): string {
  return new Bun.CryptoHasher("sha256").update(`${act}\0${scope}\0${value}`).digest("base64url")
}

/** One customer has a whole /64 of IPv6. */
function network(ip: string): string {
  if (!ip.includes(":")) return ip
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)
  if (mapped !== null) return mapped[1]!
  const [head = "", tail] = ip.toLowerCase().split("::") as [string, string?]
  const left = head === "" ? [] : head.split(":")
  const right = tail === undefined || tail === "" ? [] : tail.split(":")
  const groups = tail === undefined ? left : [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0"), ...right]
  return groups.slice(0, 4).map(group => group.replace(/^0+(?=.)/, "")).join(":")
}
