/** `balance = ...`: a built-in way by name, one with options, or a plugin. */
import { duration, type Balancer, type Context } from "edge"
import * as v from "valibot"
import { keys, rendezvous, type Key } from "./hash.ts"
import { picks, roundRobin, type Pick } from "./algorithms.ts"
import { Sticky } from "./sticky.ts"

const token = v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a name without spaces"))

const stickySchema = v.strictObject({
  cookie: v.optional(token, "edge_upstream"),
  secret: v.optional(v.pipe(v.string(), v.minLength(16, "must have 16 characters at least"))),
  max_age: v.optional(duration({ min: "1s" })),
  fallback: v.optional(v.picklist(["round_robin", "least_conn", "random", "ip_hash"]), "round_robin"),
})

/** Built-in ways that take an option. */
const withOptions: Readonly<Record<string, (options: unknown) => Balancer>> = {
  header_hash: name => byKey(keys.header(v.parse(token, name))),
  cookie_hash: name => byKey(keys.cookie(v.parse(token, name))),
  query_hash: name => byKey(keys.query(v.parse(v.string(), name))),
  sticky: options => {
    const { fallback, max_age: age, cookie, secret } = v.parse(stickySchema, options)
    return new Sticky({ cookie, secret, maxAge: age === undefined ? undefined : Math.round(age / 1000) }, picks[fallback]!())
  },
}

export async function makeBalancer(balance: string | Record<string, unknown>, ctx: Context): Promise<Balancer> {
  const [name, options] = typeof balance === "string" ? [balance, undefined] : (Object.entries(balance)[0] ?? ["", undefined])
  if (options === undefined && Object.hasOwn(picks, name)) return { pick: picks[name]!() }
  if (Object.hasOwn(withOptions, name) && (options !== undefined || name === "sticky")) {
    try {
      return withOptions[name]!(options ?? {})
    } catch (error) {
      throw ctx.fail((error as Error).message, options === undefined ? ["balance"] : ["balance", name])
    }
  }
  const known = [...Object.keys(picks), ...Object.keys(withOptions), ...ctx.names("balancer")]
  if (!known.includes(name)) throw ctx.fail(`no balancer named "${name}"; there are ${known.join(", ")}`, ["balance"])
  if (Object.hasOwn(picks, name) || Object.hasOwn(withOptions, name)) {
    throw ctx.fail(Object.hasOwn(picks, name) ? `"${name}" takes no options` : `"${name}" needs the name: { ${name} = "NAME" }`, ["balance"])
  }
  return ctx.make("balancer", balance, typeof balance === "string" ? ["balance"] : undefined)
}

/** Clients without the key go round. */
function byKey(key: Key): Balancer {
  const others: Pick = roundRobin()
  return {
    pick: (upstreams, x) => {
      const value = key(x)
      return value === null || value === "" ? others(upstreams, x) : rendezvous(upstreams, value)
    },
  }
}
