/** Certificates, keys, orders and locks in the shared store, so that two fronts or two machines never order twice. */
import type { Store } from "../contract/store.ts"
import { idOf, type Issued, type OrderUnderWay, type Trouble } from "./managed.ts"
import type { Wanted } from "../contract/certificates.ts"
import type { LocalRecord } from "./local-authority.ts"
import type { Sealer } from "./sealer.ts"

const LOCAL = "tls:internal"
/** Told when a certificate has changed; the message is its id. */
export const CHANNEL = "tls:changed"
/** Told when a challenge of tls-alpn-01 begins or ends; the message is the server's name. */
const CHALLENGES = "tls:challenges"
/** A challenge is looked at within minutes. */
const CHALLENGE_MS = 3_600_000
/** The holder of a lock renews it; one that died gives way after this. */
export const LOCK_MS = 60_000

export interface AccountRecord {
  readonly key: string
  /** URL of the account; "" while the authority has not said it. */
  readonly kid: string
}

export class Vault {
  readonly #store: Store
  readonly #sealer: Sealer

  constructor(store: Store, sealer: Sealer) {
    this.#store = store
    this.#sealer = sealer
  }

  issued(wanted: Wanted): Promise<Issued | undefined> {
    return this.#read<Issued>(`tls:certificate:${wanted.issuer}:${idOf(wanted)}`)
  }

  /** Kept, and told to all who serve it. */
  async keep(wanted: Wanted, issued: Issued): Promise<void> {
    await this.#write(`tls:certificate:${wanted.issuer}:${idOf(wanted)}`, issued)
    await this.#store.publish(CHANNEL, idOf(wanted))
  }

  account(authority: string): Promise<AccountRecord | undefined> {
    return this.#read<AccountRecord>(`tls:account:${authority}`)
  }

  /** `onlyIfAbsent`: false when another has made one meanwhile; that one is the account. */
  async keepAccount(authority: string, account: AccountRecord, { onlyIfAbsent }: { onlyIfAbsent: boolean }): Promise<boolean> {
    return this.#store.set(`tls:account:${authority}`, await this.#sealer.seal(account), { onlyIfAbsent })
  }

  localAuthority(): Promise<LocalRecord | undefined> {
    return this.#read<LocalRecord>(LOCAL)
  }

  /** False when it is no longer what it was. */
  async keepLocalAuthority(record: LocalRecord, before: LocalRecord | undefined): Promise<boolean> {
    const now = await this.#store.get(LOCAL)
    const seen = now === null ? undefined : await this.#sealer.open<LocalRecord>(now, LOCAL)
    if (seen?.intermediate !== before?.intermediate) return false
    return this.#store.compareAndSet(LOCAL, { expected: now, value: await this.#sealer.seal(record) })
  }

  order(wanted: Wanted): Promise<OrderUnderWay | undefined> {
    return this.#read<OrderUnderWay>(`tls:order:${idOf(wanted)}`)
  }

  async keepOrder(wanted: Wanted, order: OrderUnderWay | undefined): Promise<void> {
    const key = `tls:order:${idOf(wanted)}`
    if (order === undefined) await this.#store.delete(key)
    else await this.#write(key, order)
  }

  trouble(wanted: Wanted): Promise<Trouble | undefined> {
    return this.#read<Trouble>(`tls:trouble:${idOf(wanted)}`)
  }

  async keepTrouble(wanted: Wanted, trouble: Trouble | undefined): Promise<void> {
    const key = `tls:trouble:${idOf(wanted)}`
    if (trouble === undefined) await this.#store.delete(key)
    else await this.#write(key, trouble)
  }

  /** `kind` http: a token and what is served for it; alpn: a name and the certificate that is shown for it. */
  async keepChallenge(kind: "http" | "alpn", of: string, value: unknown): Promise<void> {
    await this.#write(`tls:challenge:${kind}:${of}`, value, CHALLENGE_MS)
    if (kind === "alpn") await this.#store.publish(CHALLENGES, of)
  }

  challenge<T>(kind: "http" | "alpn", of: string): Promise<T | undefined> {
    return this.#read<T>(`tls:challenge:${kind}:${of}`)
  }

  async dropChallenge(kind: "http" | "alpn", of: string): Promise<void> {
    await this.#store.delete(`tls:challenge:${kind}:${of}`)
    if (kind === "alpn") await this.#store.publish(CHALLENGES, of)
  }

  /** Runs it while nobody else on any machine does; undefined, without running it, when somebody has the lock. */
  async alone<T>(wanted: Wanted, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const key = `tls:lock:${idOf(wanted)}`
    const mark = crypto.randomUUID()
    if (!(await this.#store.set(key, mark, { onlyIfAbsent: true, ttlMs: LOCK_MS }))) return undefined
    const lost = new AbortController()
    const renew = async (): Promise<void> => {
      const ours = await this.#store.compareAndSet(key, { expected: mark, value: mark, ttlMs: LOCK_MS }).catch(() => false)
      if (!ours) lost.abort(new Error("the lock was lost: the store was gone for too long"))
    }
    const timer = setInterval(() => void renew(), LOCK_MS / 3)
    try {
      return await work(lost.signal)
    } finally {
      clearInterval(timer)
      await this.#store.compareAndSet(key, { expected: mark, value: null }).catch(() => {
        // It ends by itself.
      })
    }
  }

  /** Calls back with the server's name of each challenge of tls-alpn-01 that begins or ends. */
  onChallenge(f: (name: string | null) => void): Promise<() => void> {
    return this.#store.subscribe(CHALLENGES, f)
  }

  /** Calls back with the id of each certificate that changes; null: some may have been missed. */
  onChange(f: (id: string | null) => void): Promise<() => void> {
    return this.#store.subscribe(CHANNEL, f)
  }

  async #read<T>(key: string): Promise<T | undefined> {
    const bytes = await this.#store.get(key)
    return bytes === null ? undefined : this.#sealer.open<T>(bytes, key)
  }

  async #write(key: string, value: unknown, ttlMs?: number): Promise<void> {
    await this.#store.set(key, await this.#sealer.seal(value), ttlMs === undefined ? {} : { ttlMs })
  }
}
