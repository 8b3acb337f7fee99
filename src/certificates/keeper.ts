/** Looks what is due, gets it, and says when to look again. */
import type { Authority } from "./authority.ts"
import type { Issued, Trouble } from "./managed.ts"
import type { Wanted } from "../contract/certificates.ts"
import { AcmeError } from "./acme/problem.ts"
import { dueOf, troubleAfter } from "./schedule.ts"
import type { Vault } from "./vault.ts"

export interface KeeperOptions {
  readonly vault: Vault
  /** Of each kind of issuer, in the order in which they are tried. */
  readonly authorities: Readonly<Record<Wanted["issuer"], readonly Authority[]>>
  readonly now?: () => number
  readonly random?: () => number
  /** What happened, in words. */
  told(event: { readonly level: "info" | "warn" | "error"; readonly message: string; readonly names: readonly string[] }): void
}

/** Somebody else is at it: look again soon whether there is a certificate then. */
const ELSEWHERE_MS = 5000
/** After a question about a renewal that got no answer. */
const ASK_AGAIN_MS = 6 * 3_600_000

export class Keeper {
  readonly #options: KeeperOptions
  readonly #now: () => number

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Does what is due, some at once; gives the time when something is due next. Never rejects: trouble is told, and waits. */
  async tend(all: readonly Wanted[], { signal, atOnce = 4 }: { signal: AbortSignal; atOnce?: number }): Promise<number> {
    let next = Infinity
    const left = [...all]
    const worker = async (): Promise<void> => {
      for (let wanted = left.shift(); wanted !== undefined && !signal.aborted; wanted = left.shift()) {
        next = Math.min(next, await this.#one(wanted, signal))
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, worker))
    return next
  }

  /** One now, whatever is due. */
  async obtain(wanted: Wanted, { why, signal }: { why: string; signal: AbortSignal }): Promise<void> {
    const { vault } = this.#options
    const done = await vault.alone(wanted, async lost => {
      const [issued, trouble] = await Promise.all([vault.issued(wanted), vault.trouble(wanted)])
      return this.#renew(wanted, { issued, trouble, why, signal: AbortSignal.any([signal, lost]) })
    })
    if (done === undefined) this.#tell("warn", "somebody else is ordering it at this moment", wanted)
  }

  async #one(wanted: Wanted, signal: AbortSignal): Promise<number> {
    try {
      const { do: what, at } = await this.#due(wanted)
      if (at > this.#now()) return at
      const done = await this.#options.vault.alone(wanted, lost => this.#attend(wanted, what, AbortSignal.any([signal, lost])))
      return done ?? this.#now() + ELSEWHERE_MS
    } catch (error) {
      this.#tell("error", `certificates cannot be kept: ${words(error)}`, wanted)
      return this.#now() + 60_000
    }
  }

  async #due(wanted: Wanted) {
    const { vault } = this.#options
    const [issued, trouble] = await Promise.all([vault.issued(wanted), vault.trouble(wanted)])
    return { issued, trouble, ...dueOf(issued, { trouble, now: this.#now() }) }
  }

  /** With the lock: what another machine did meanwhile is seen first. */
  async #attend(wanted: Wanted, what: "obtain" | "ask", signal: AbortSignal): Promise<number> {
    const { issued, trouble, do: still, at, ...due } = await this.#due(wanted)
    if (still !== what || at > this.#now()) return at
    if (what === "ask") return this.#ask(wanted, issued!, signal)
    return this.#renew(wanted, { issued, trouble, why: "why" in due ? due.why : "", signal })
  }

  async #renew(wanted: Wanted, { issued, trouble, why, signal }: { issued: Issued | undefined; trouble: Trouble | undefined; why: string; signal: AbortSignal }): Promise<number> {
    try {
      const made = await this.#obtain(wanted, { issued, failures: trouble?.failures ?? 0, signal })
      await this.#options.vault.keep(wanted, made)
      await Promise.all([this.#options.vault.keepOrder(wanted, undefined), this.#options.vault.keepTrouble(wanted, undefined)])
      this.#tell("info", `a certificate by ${host(made.authority)}, good until ${new Date(made.notAfter).toISOString()} (${why})`, wanted)
      return dueOf(made, { trouble: undefined, now: this.#now() }).at
    } catch (error) {
      if (signal.aborted) throw error
      const asked = error instanceof AcmeError ? (error.retryAfterMs ?? 0) : 0
      const { random } = this.#options
      const next = troubleAfter(trouble, { why: words(error), now: this.#now(), asked, ...(random !== undefined && { random }) })
      await this.#options.vault.keepTrouble(wanted, next)
      // With a good one in hand there is time; without, nobody can come in.
      const left = issued === undefined ? "there is none, so nobody can connect" : `the one in use is good until ${new Date(issued.notAfter).toISOString()}`
      this.#tell(issued === undefined || issued.notAfter < this.#now() ? "error" : "warn", `no certificate: ${next.why}; ${left}; next try ${new Date(next.againAt).toISOString()}`, wanted)
      return next.againAt
    }
  }

  /** The first authority, and after failures in turn the others. */
  async #obtain(wanted: Wanted, { issued, failures, signal }: { issued: Issued | undefined; failures: number; signal: AbortSignal }): Promise<Issued> {
    const authorities = this.#options.authorities[wanted.issuer]
    // Each authority with its first proof, then each with its second, and so on.
    const authority = authorities[failures % authorities.length]
    if (authority === undefined) throw new Error(`no authority for tls = ${JSON.stringify(wanted.issuer === "acme" ? "auto" : "internal")}`)
    return authority.issue(wanted, { ...(issued !== undefined && { last: issued }), failures: Math.floor(failures / authorities.length), signal })
  }

  async #ask(wanted: Wanted, issued: Issued, signal: AbortSignal): Promise<number> {
    const authority = this.#options.authorities[wanted.issuer].find(({ id }) => id === issued.authority)
    const wish = await authority?.renewal?.(issued, signal).catch(() => undefined)
    const kept = { ...issued, renewal: wish ?? { ...issued.renewal!, askAgainAt: this.#now() + ASK_AGAIN_MS } }
    await this.#options.vault.keep(wanted, kept)
    return dueOf(kept, { trouble: undefined, now: this.#now() }).at
  }

  #tell(level: "info" | "warn" | "error", message: string, { names }: Wanted): void {
    this.#options.told({ level, message, names })
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function host(authority: string): string {
  return URL.canParse(authority) ? new URL(authority).host : authority
}
