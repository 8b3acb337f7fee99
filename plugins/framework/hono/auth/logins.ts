/** Who is logged in: kept in the app's session, so it ends with it, on whatever machine it is ended. */
import { cookieName, readCookie } from "../app/cookies.ts"
import { sessions } from "../app/session-model.ts"
import { endSessionsOf } from "../app/session.ts"
import { isSecure } from "../app/security.ts"
import { clientIp } from "../app/request.ts"
import type { Ctx } from "../app/env.ts"
import { gt } from "../db/compare.ts"
import { subjectOf } from "./accounts.ts"
import { preparedBy } from "../db/prepared.ts"
import { note } from "./events.ts"
import { User, type UserRow } from "./models.ts"

/** Where and when a session was logged in, for the list of them. */
interface Place {
  readonly at: number
  readonly ip: string
  readonly agent: string
}
const PLACE = "_login"

/**
 * From now on the visitor is this user. The session gets a new id, or who planted the old one would be logged in too
 * (session fixation); another user's session is not taken over but ended, as what is in it is his.
 */
export async function logIn(c: Ctx, user: UserRow): Promise<void> {
  const { session } = c.var
  const before = await session.subject()
  if (before !== null && before !== subjectOf(user.id)) session.end()
  session.rotate()
  session.belongsTo(subjectOf(user.id))
  session.set(PLACE, { at: Date.now(), ip: clientIp(c), agent: (c.req.header("user-agent") ?? "").slice(0, 300) } satisfies Place)
  const lastLogin = new Date()
  await User.where({ id: user.id }).update({ lastLogin })
  c.set("user", { ...user, lastLogin })
  note(c, "login", user)
}

export function logOut(c: Ctx): void {
  c.var.session.end()
  c.set("user", null)
}

const byId = preparedBy(User, "id")

/** False when there can be no user: most visitors send no session, and nothing has to be asked for them. */
export function mayBeLoggedIn(c: Ctx): boolean {
  return sessionCookie(c) !== undefined
}

/** The user of this request, asked of the database each time: one who was switched off a moment ago is out. */
export async function userOf(c: Ctx): Promise<UserRow | null> {
  const { session } = c.var
  if (!session.mayExist) return null
  const subject = await session.subject()
  const id = Number(/^user (\d+)$/.exec(subject ?? "")?.[1] ?? 0)
  if (id === 0) return null
  const user = await byId(id)
  if (user?.isActive === true) return user
  session.end()
  return null
}

export interface LoginInfo extends Place {
  readonly id: number
  /** True of the session whose cookie was given. */
  readonly here: boolean
}

/** Sessions that are listed: a program that logs in each minute has thousands. */
const MOST = 50

/** The browsers in which a user is logged in, newest first. `cookie` is that of this request's session. */
export async function loginsOf(user: { id: number }, cookie?: string): Promise<LoginInfo[]> {
  const rows = await sessions.where({ subject: subjectOf(user.id), expiresAt: gt(new Date()) }).order("-id").limit(MOST)
  const key = cookie === undefined ? "" : new Bun.CryptoHasher("sha256").update(cookie).digest("base64url")
  return rows.map(row => ({ ...placeOf(row.data), id: row.id, here: row.key === key })).toSorted((a, b) => b.at - a.at)
}

/** The id of this request's session, as its cookie says. */
export function sessionCookie(c: Ctx): string | undefined {
  return readCookie(c.req.header("cookie"), cookieName(c.var.app.sessionOptions.cookie, isSecure(c)))
}

/** Ends every other session of the user. */
export function endOthers(c: Ctx, user: { id: number }): Promise<number> {
  const except = sessionCookie(c)
  return endSessionsOf(subjectOf(user.id), except === undefined ? {} : { except })
}

function placeOf(data: Record<string, unknown>): Place {
  return (data[PLACE] as Place | undefined) ?? { at: 0, ip: "", agent: "" }
}

/** Ends one of them; only one that is the user's own. */
export async function revokeLogin(user: { id: number }, id: number): Promise<boolean> {
  return (await sessions.where({ id, subject: subjectOf(user.id) }).delete()) > 0
}
