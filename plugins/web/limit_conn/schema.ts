import { cidr, clientKeySchema, count } from "edge"
import * as v from "valibot"

const rule = v.strictObject({
  limit: v.pipe(count({ max: 1_000_000 }), v.description("Requests that may be under way at once, WebSockets and downloads too")),
  key: v.optional(clientKeySchema(), "ip"),
  name: v.pipe(v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64))), v.description("Rules of one name, limit and key count together, wherever they stand")),
  except: v.pipe(v.optional(v.array(v.union([cidr(), v.literal("unix")])), []), v.description("Addresses that are not limited")),
  ipv6_prefix: v.pipe(v.optional(count({ max: 128 }), 64), v.description("Bits of an IPv6 address that count as one client")),
  keys: v.pipe(v.optional(count({ min: 64, max: 1_048_576 }), 16_384), v.description("Keys with requests under way that are told apart over all fronts")),
  status: v.pipe(v.optional(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)), 503), v.description("Of a refusal")),
  dry_run: v.pipe(v.optional(v.boolean(), false), v.description("Refuse nothing, only say in the log what would be")),
})

/** `limit_conn = 20` is short for `{ limit = 20 }`; a list is several rules, all of which must let a request in. */
export const limitConnSchema = v.pipe(
  v.union([
    v.pipe(
      count({ max: 1_000_000 }),
      v.transform(limit => [v.parse(rule, { limit })]),
    ),
    v.pipe(
      rule,
      v.transform(given => [given]),
    ),
    v.pipe(v.array(rule), v.minLength(1, "expected at least one rule")),
  ]),
  v.description("Requests at once for each client, a rule, or a list of rules that must all let a request in."),
)

export type RuleOptions = v.InferOutput<typeof rule>
