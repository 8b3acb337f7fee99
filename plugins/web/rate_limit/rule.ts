import type { ClientKey, Context, Exchange } from "edge"
import { clientKey, trustedPeers } from "edge"
import { wordsFor } from "./layout.ts"
import type { RuleOptions } from "./schema.ts"
import { Sharing } from "./sharing.ts"
import { CountTable } from "./table.ts"

/** Refusals are said in the log when they begin, and counted so often while they last. */
const SAY_MS = 10_000

export class Rule {
  readonly name: string
  readonly options: RuleOptions
  readonly table: CountTable
  /** Undefined where this machine counts alone. */
  readonly sharing: Sharing | undefined
  readonly key: ClientKey
  readonly exempt: ((ip: string) => boolean) | undefined
  /** Whether an answer of that status counts; undefined where every request does, before it is answered. */
  readonly counts: ((status: number) => boolean) | undefined
  /** RateLimit-Policy of this rule (draft-ietf-httpapi-ratelimit-headers-10): quota and window in seconds. */
  readonly policy: string
  readonly #ctx: Context
  #refused = 0
  #saidAt = 0
  #displaced = 0

  constructor(options: RuleOptions, { ctx, name, id }: { ctx: Context; name: string; id: string }) {
    const { rate, burst, keys } = options
    this.#ctx = ctx
    this.options = options
    this.name = name
    this.key = clientKey(options.key, { ipv6Prefix: options.ipv6_prefix })
    this.exempt = options.except.length === 0 ? undefined : trustedPeers(options.except)
    const { count } = options
    this.counts = count && (status => count.includes(status) || count.includes(`${Math.floor(status / 100)}xx`))
    // `burst` at once and the rate on the average is the same window, made as short or long as the burst takes.
    const limit = burst ?? rate.requests
    const windowMs = (rate.windowMs * limit) / rate.requests
    const shape = `${limit}/${windowMs} ${keys} ${JSON.stringify(options.key)} ${options.ipv6_prefix}`
    this.table = new CountTable(ctx.page(`rate_limit ${id} ${shape}`, wordsFor(keys)), { limit, windowMs, keys })
    const shared = options.scope === "all" && ctx.store.reach === "machines"
    this.sharing = shared ? new Sharing(this.table, { store: ctx.store, id: `${id} ${shape}`, windowMs }) : undefined
    this.policy = `"${name}";q=${rate.requests};w=${Math.ceil(rate.windowMs / 1000)}`
  }

  /** Whether answers that are let in tell the limit too. */
  get tells(): boolean {
    return this.options.headers === "always" && !this.options.dry_run
  }

  /** RateLimit of the request that was counted last: what is left, for how many seconds. */
  get left(): string {
    return `"${this.name}";r=${this.table.left};t=${Math.max(1, Math.ceil(this.table.waitMs / 1000))}`
  }

  /** Says that requests are refused: the first, then how many, not each of them. */
  refused(x: Exchange): void {
    this.#refused++
    const now = Date.now()
    if (now - this.#saidAt < SAY_MS) return
    const { displaced } = this.table
    const fields = {
      rule: this.name,
      at: this.#ctx.at,
      requests: this.#refused,
      ip: x.ip,
      path: x.path,
      ...(displaced > this.#displaced && { displacedKeys: displaced - this.#displaced }),
    }
    this.#ctx.log.warn(this.options.dry_run ? "rate limit reached (dry run: nothing is refused)" : "rate limit reached", fields)
    this.#displaced = displaced
    this.#refused = 0
    this.#saidAt = now
  }
}
