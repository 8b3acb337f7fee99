/** The addresses behind a name, asked for again and again. */
import dns from "node:dns"
import type { Logger } from "edge"

/** One place that a name stands for. */
export interface Found {
  readonly hostname: string
  /** Undefined: the one of the URL. */
  readonly port: number | undefined
  readonly weight: number | undefined
  readonly backup: boolean
}

export interface NameRules {
  readonly name: string
  /** The name is of SRV records (RFC 2782): places with their ports, weights and priorities. */
  readonly srv: boolean
  /** "10.0.0.2" or "127.0.0.1:5353"; undefined: as the system does it, /etc/hosts too. */
  readonly resolver: string | undefined
  /** Longest time between two questions; a shorter TTL goes before it. */
  readonly everyMs: number
}

/** A zone with a TTL of 0 must not make us ask all the time. */
const leastMs = 1000
/** A name that does not answer is asked for again soon; what it stood for before goes on meanwhile. */
const againMs = 5000

export class DnsWatch {
  readonly #rules: NameRules
  readonly #log: Logger
  readonly #onFound: (found: readonly Found[]) => void
  readonly #resolver: dns.promises.Resolver | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false
  #failing = false

  constructor(rules: NameRules, { log, onFound }: { log: Logger; onFound(found: readonly Found[]): void }) {
    this.#rules = rules
    this.#log = log
    this.#onFound = onFound
    if (rules.resolver === undefined && !rules.srv) return
    this.#resolver = new dns.promises.Resolver({ timeout: 2000, tries: 2 })
    if (rules.resolver !== undefined) this.#resolver.setServers([rules.resolver])
  }

  start(): void {
    void this.#ask()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #ask(): Promise<void> {
    let nextMs = againMs
    try {
      const { found, ttlMs } = await this.#look()
      if (this.#stopped) return
      if (found.length === 0) throw new Error("no addresses")
      nextMs = Math.max(leastMs, Math.min(this.#rules.everyMs, ttlMs))
      if (this.#failing) this.#log.info("the name of an upstream is found again", { name: this.#rules.name })
      this.#failing = false
      this.#onFound(found)
    } catch (error) {
      if (this.#stopped) return
      nextMs = Math.min(againMs, this.#rules.everyMs)
      const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message
      if (!this.#failing) this.#log.warn("the name of an upstream is not found; the addresses from before go on", { name: this.#rules.name, why })
      this.#failing = true
    }
    this.#timer = setTimeout(() => void this.#ask(), nextMs)
    this.#timer.unref()
  }

  async #look(): Promise<{ found: Found[]; ttlMs: number }> {
    const { name, srv } = this.#rules
    if (srv) return this.#lookSrv()
    if (this.#resolver === undefined) {
      const list = await dns.promises.lookup(name, { all: true })
      return { found: unique(list.map(({ address }) => plain(address))), ttlMs: Infinity }
    }
    // Most names have one of the two; an error counts only when there is neither.
    const [four, six] = await Promise.allSettled([this.#resolver.resolve4(name, { ttl: true }), this.#resolver.resolve6(name, { ttl: true })])
    const records = [four, six].flatMap(one => (one.status === "fulfilled" ? (one.value as { address: string; ttl: number }[]) : []))
    if (records.length === 0 && four.status === "rejected") throw four.reason as Error
    return { found: unique(records.map(({ address }) => plain(address))), ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1000 }
  }

  async #lookSrv(): Promise<{ found: Found[]; ttlMs: number }> {
    const records = await this.#resolver!.resolveSrv(this.#rules.name)
    const first = Math.min(...records.map(({ priority }) => priority))
    const found = records.map(({ name, port, weight, priority }) => ({ hostname: name, port, weight: Math.max(weight, 1), backup: priority > first }))
    return { found, ttlMs: Infinity }
  }
}

function plain(hostname: string): Found {
  return { hostname, port: undefined, weight: undefined, backup: false }
}

function unique(list: Found[]): Found[] {
  return [...new Map(list.map(one => [one.hostname, one])).values()]
}
