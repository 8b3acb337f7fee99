import { checkOptions } from "edge"
import { gt, lt, ne } from "../db/compare.ts"
import { transaction } from "../db/database.ts"
import { preparedBy } from "../db/prepared.ts"
import { cookie, cookieName } from "./cookies.ts"
import { randomId } from "./secret.ts"
import { sessions } from "./session-model.ts"

type Data = Record<string, unknown>
type Change = (data: Data) => void
interface Kept {
  readonly data: Data
  readonly subject: string | null
  readonly expiresAt: Date
}

export interface SessionOptions {
  /** Name of the cookie; on https `__Host-` is put before it. */
  readonly cookie: string
  /** How long an unused session lasts. */
  readonly days: number
}

/**
 * What is kept of a visitor between requests: in the database, so that every worker and machine sees it. Nothing is read
 * until it is asked for, and there is no cookie until something is kept. Changes are kept after the handler, applied to
 * what is there then, so that two requests at once do not undo each other.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #secure: boolean
  readonly #changes: Change[] = []
  /** As the cookie says; it may be of no session. */
  readonly #id: string | undefined
  #loaded: Promise<Kept | null> | undefined
  #fresh = false
  #ended = false
  #subject: string | null | undefined

  constructor(id: string | undefined, options: SessionOptions & { secure: boolean }) {
    this.#id = id !== undefined && /^[\w-]{32}$/.test(id) ? id : undefined
    this.#options = options
    this.#secure = options.secure
  }

  /** True when the visitor sent the cookie of a session; whether there is one, only `get` tells. */
  get mayExist(): boolean {
    return this.#id !== undefined && !this.#ended
  }

  async get<T = unknown>(key: string): Promise<T | undefined> {
    return (await this.#data())[key] as T | undefined
  }

  set(key: string, value: unknown): void {
    this.change(data => {
      data[key] = value
    })
  }

  delete(key: string): void {
    this.change(data => {
      delete data[key]
    })
  }

  /** Changes the data where it is kept, among what other requests did meanwhile. May run more than once. */
  change(change: Change): void {
    this.#changes.push(change)
  }

  /** Whose session it is, as the part that logged in said. */
  async subject(): Promise<string | null> {
    if (this.#subject !== undefined) return this.#subject
    return this.#ended ? null : ((await this.#load())?.subject ?? null)
  }

  /** Says whose it is from now on. */
  belongsTo(subject: string | null): void {
    this.#subject = subject
  }

  /** A new id for the same data: at every login, or who planted the old id is logged in too (session fixation). */
  rotate(): void {
    this.#fresh = true
  }
  /** True when the id changes with this answer: other secrets of the visitor should change too. */
  get rotated(): boolean {
    return this.#fresh || this.#ended
  }

  /** Forgets everything; what is set afterwards is in a new session. */
  end(): void {
    this.#ended = true
    this.#changes.length = 0
    this.#subject = undefined
  }

  async #data(): Promise<Data> {
    const data = this.#ended ? {} : structuredClone((await this.#load())?.data ?? {})
    for (const change of this.#changes) change(data)
    return data
  }

  #load(): Promise<Kept | null> {
    this.#loaded ??= this.#id === undefined ? Promise.resolve(null) : find(this.#id)
    return this.#loaded
  }

  /** Keeps what changed; gives the Set-Cookie that the answer needs, if any. */
  async commit(): Promise<string | undefined> {
    const changed = this.#changes.length > 0 || this.#subject !== undefined
    if (!changed && !this.#ended && !this.#fresh) return this.#prolong()
    if (this.#ended && this.#id !== undefined) await sessions.where({ key: hash(this.#id) }).delete()
    if (!changed && (this.#ended || (await this.#load()) === null)) return this.#id === undefined ? undefined : this.#cookie("", 0)
    return this.#store()
  }

  async #store(): Promise<string | undefined> {
    const expiresAt = new Date(Date.now() + this.#options.days * DAY)
    const known = this.#ended ? undefined : this.#id
    // Rarely: a table that only grows is the cost of never asking.
    if (Math.random() < 0.01) await sessions.where({ expiresAt: lt(new Date()) }).delete()
    const id = await transaction(async () => {
      const row = known === undefined ? null : await sessions.where({ key: hash(known), expiresAt: gt(new Date()) }).first()
      const data = { ...row?.data }
      for (const change of this.#changes) change(data)
      const subject = this.#subject === undefined ? (row?.subject ?? null) : this.#subject
      // An id that we did not give out is never taken up.
      const next = row === null || this.#fresh ? randomId() : known!
      if (row === null) await sessions.create({ key: hash(next), data, subject, expiresAt })
      else await sessions.where({ id: row.id }).update({ key: hash(next), data, subject, expiresAt })
      return next
    })
    return this.#cookie(id, this.#options.days * 86_400)
  }

  /** A session in use lasts on: renewed once half of its time is gone, not at every request. */
  async #prolong(): Promise<string | undefined> {
    const kept = await this.#loaded
    const lifeMs = this.#options.days * DAY
    if (kept === undefined || kept === null || kept.expiresAt.getTime() - Date.now() > lifeMs / 2) return undefined
    await sessions.where({ key: hash(this.#id!) }).update({ expiresAt: new Date(Date.now() + lifeMs) })
    return this.#cookie(this.#id!, this.#options.days * 86_400)
  }

  #cookie(value: string, maxAgeSeconds: number): string {
    return cookie(cookieName(this.#options.cookie, this.#secure), value, { secure: this.#secure, maxAgeSeconds })
  }
}

const DAY = 86_400_000

const byKey = preparedBy(sessions, "key")

async function find(id: string): Promise<Kept | null> {
  const row = await byKey(hash(id))
  return row !== null && row.expiresAt.getTime() > Date.now() ? row : null
}

/** Ends every session of a person (password changed, account closed), but the one whose cookie this is. */
export async function endSessionsOf(subject: string, options: { except?: string } = {}): Promise<number> {
  checkOptions("endSessionsOf()", options, { except: "text" })
  const keep = options.except === undefined ? {} : { key: ne(hash(options.except)) }
  return sessions.where({ subject, ...keep }).delete()
}

function hash(id: string): string {
  return new Bun.CryptoHasher("sha256").update(id).digest("base64url")
}
