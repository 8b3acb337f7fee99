import { type Answer, type ClientKey, clientKey, type Context, definePlugin, type Exchange, forThisClient, type Handler, HttpError, PASS, trustedPeers } from "edge"
import { limitConnSchema, type RuleOptions } from "./schema.ts"
import { BusyTable, PULSE_MS, REFUSED, wordsFor } from "./table.ts"

/** Refusals are said in the log when they begin, and counted so often while they last. */
const SAY_MS = 10_000

/** Requests under way at once, by key, over all fronts of this machine. */
export default definePlugin({
  name: "limit_conn",
  kind: "middleware",
  config: limitConnSchema,
  setup: (config, ctx) => {
    const rules = config.map((options, i) => new Rule(options, { ctx, id: options.name ?? `${ctx.at}[${i}]` }))
    let timer: ReturnType<typeof setInterval> | undefined
    return {
      part: next => rules.reduceRight((inner, rule) => limited(rule, inner), next),
      start: () => {
        for (const rule of rules) rule.table.open()
        timer = setInterval(() => rules.forEach(rule => rule.table.pulse()), PULSE_MS)
        timer.unref()
      },
      stop: () => {
        clearInterval(timer)
        for (const rule of rules) rule.table.close()
      },
    }
  },
})

class Rule {
  readonly table: BusyTable
  readonly key: ClientKey
  readonly exempt: ((ip: string) => boolean) | undefined
  readonly options: RuleOptions
  readonly #ctx: Context
  #refused = 0
  #saidAt = 0

  constructor(options: RuleOptions, { ctx, id }: { ctx: Context; id: string }) {
    const { limit, keys } = options
    this.#ctx = ctx
    this.options = options
    this.key = clientKey(options.key, { ipv6Prefix: options.ipv6_prefix })
    this.exempt = options.except.length === 0 ? undefined : trustedPeers(options.except)
    this.table = new BusyTable(ctx.page(`limit_conn ${id} ${JSON.stringify(options.key)} ${options.ipv6_prefix}`, wordsFor(keys)), { limit, keys })
  }

  /** Says that requests are refused: the first, then how many, not each of them. */
  refused(x: Exchange): void {
    this.#refused++
    const now = Date.now()
    if (now - this.#saidAt < SAY_MS) return
    const fields = { limit: this.options.limit, at: this.#ctx.at, requests: this.#refused, ip: x.ip, path: x.path }
    this.#ctx.log.warn(this.options.dry_run ? "too many requests at once (dry run: nothing is refused)" : "too many requests at once", fields)
    this.#refused = 0
    this.#saidAt = now
  }
}

function limited(rule: Rule, next: Handler): Handler {
  const { table, options } = rule
  return function limitConn(x) {
    if (rule.exempt?.(x.ip) === true) return next(x)
    const key = rule.key(x)
    const place = table.take(key)
    if (place === REFUSED) {
      rule.refused(x)
      if (options.dry_run) return next(x)
      // An error page of it, in a cache, would be for all.
      forThisClient(x)
      throw new HttpError(options.status, `${options.limit} requests are under way already`, { headers: [["Retry-After", "1"]], quiet: true })
    }
    let under = true
    const release = (): void => {
      if (under) table.release(key, place)
      under = false
    }
    x.onEnd(release)
    // A route that passes is done with the request, which goes on elsewhere.
    const done = (answer: Answer): Answer => {
      if (answer === PASS) release()
      return answer
    }
    const answer = next(x)
    return answer instanceof Promise ? answer.then(done) : done(answer)
  }
}
