import { after, type Context, definePlugin, type Exchange, forThisClient, type Handler, HttpError, type Reply } from "edge"
import { Rule } from "./rule.ts"
import { rateLimitSchema, type RuleOptions } from "./schema.ts"

/** Requests per time and key, over all fronts, and over all machines that share a store. */
export default definePlugin({
  name: "rate_limit",
  kind: "middleware",
  config: rateLimitSchema,
  setup: (config, ctx) => {
    const rules = config.map((options, i) => makeRule(options, { ctx, i, of: config.length }))
    return {
      part: next => {
        const [before, behind] = [rules.filter(rule => rule.counts === undefined), rules.filter(rule => rule.counts !== undefined)]
        const inner = behind.reduceRight((handler, rule) => counted(rule, handler), next)
        return before.length === 0 ? inner : limited(before, inner)
      },
      stop: async () => {
        await Promise.all(rules.map(rule => rule.sharing?.stop()))
      },
    }
  },
})

/** By generation: what each name stands for. Two rules of one name that count differently could not count together. */
const names = new WeakMap<AbortSignal, Map<string, string>>()

function makeRule(options: RuleOptions, { ctx, i, of }: { ctx: Context; i: number; of: number }): Rule {
  const { name } = options
  if (name !== undefined) {
    let known = names.get(ctx.signal)
    if (known === undefined) names.set(ctx.signal, (known = new Map()))
    const { rate, burst, key, keys, ipv6_prefix } = options
    const means = JSON.stringify([rate, burst, key, keys, ipv6_prefix])
    const other = known.get(name)
    if (other !== undefined && other !== means) {
      throw ctx.fail(`another rule named "${name}" counts differently; rules of one name need the same rate, burst, key, ipv6_prefix and keys`, of > 1 ? [i, "name"] : ["name"])
    }
    known.set(name, means)
  }
  return new Rule(options, { ctx, name: name ?? (i === 0 ? "default" : `default-${i + 1}`), id: name ?? `${ctx.at}[${i}]` })
}

/** What was counted, where it may have to be taken back. */
interface Taken {
  readonly rule: Rule
  readonly key: string
  readonly window: number
  readonly mayGo: boolean
}

function limited(rules: readonly Rule[], next: Handler): Handler {
  const alone = rules.length === 1
  return function rateLimit(x) {
    const at = Date.now()
    let taken: Taken[] | undefined
    let wait = false
    let policies = ""
    let left = ""
    for (const rule of rules) {
      if (rule.exempt?.(x.ip) === true) continue
      const key = rule.key(x)
      if (!rule.table.take(key, at)) {
        rule.refused(x)
        if (rule.options.dry_run) continue
        if (taken !== undefined) giveBack(taken)
        throw refusal(rule, x)
      }
      if (rule.tells) {
        policies += policies === "" ? rule.policy : `, ${rule.policy}`
        left += left === "" ? rule.left : `, ${rule.left}`
      }
      if (alone && rule.sharing === undefined) continue
      const mayGo = rule.sharing?.counted(key) ?? true
      wait ||= !mayGo
      ;(taken ??= []).push({ rule, key, window: rule.table.window, mayGo })
    }
    if (wait) return settle(taken!, x).then(() => told(x, { next, policies, left }))
    return told(x, { next, policies, left })
  }
}

/** A rule that counts answers: looked at before, counted when the answer is there. */
function counted(rule: Rule, next: Handler): Handler {
  const { table, sharing } = rule
  const counts = rule.counts!
  return function rateLimit(x) {
    if (rule.exempt?.(x.ip) === true) return next(x)
    const key = rule.key(x)
    if (table.look(key, Date.now()) <= 0) {
      rule.refused(x)
      if (!rule.options.dry_run) throw refusal(rule, x)
    }
    const note = (status: number): void => {
      if (counts(status) && table.take(key, Date.now())) sharing?.counted(key)
    }
    const change = (reply: Reply): Reply => {
      note(reply.status)
      return reply
    }
    const error = (thrown: unknown): never => {
      note(thrown instanceof HttpError ? thrown.status : 500)
      throw thrown
    }
    return after(() => next(x), { change, error })
  }
}

function told(x: Exchange, { next, policies, left }: { next: Handler; policies: string; left: string }): ReturnType<Handler> {
  if (policies === "") return next(x)
  const change = (reply: Reply): Reply => {
    reply.headers.append("RateLimit-Policy", policies)
    reply.headers.append("RateLimit", left)
    return reply
  }
  return after(() => next(x), { change })
}

/** Lets the request in or throws its refusal, when the other machines' counts are known. */
async function settle(taken: readonly Taken[], x: Exchange): Promise<void> {
  const within = await Promise.all(taken.map(({ rule, key, window, mayGo }) => mayGo || rule.sharing!.settled(key, window)))
  const first = taken.find(({ rule }, i) => {
    if (within[i] === true) return false
    rule.refused(x)
    return !rule.options.dry_run
  })
  if (first === undefined) return
  giveBack(taken.filter((_, i) => within[i]))
  throw refusal(first.rule, x)
}

function giveBack(taken: readonly Taken[]): void {
  for (const { rule, key, window } of taken) {
    if (rule.sharing === undefined) rule.table.giveBack(key, window)
    else rule.sharing.takeBack(key, window)
  }
}

/** RFC 6585, 4. */
function refusal(rule: Rule, x: Exchange): HttpError {
  // An error page of it, in a cache, would be for all.
  forThisClient(x)
  const headers: [string, string][] = [["Retry-After", String(Math.max(1, Math.ceil(rule.table.waitMs / 1000)))]]
  if (rule.options.headers !== "never") headers.push(["RateLimit-Policy", rule.policy], ["RateLimit", rule.left])
  return new HttpError(rule.options.status, `the rate limit "${rule.name}" is reached`, { headers, quiet: true })
}
