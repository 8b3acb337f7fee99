import { cidr, clientKeySchema, count, parseDuration } from "edge"
import * as v from "valibot"
import { mostLimit } from "./layout.ts"

export interface Rate {
  readonly requests: number
  readonly windowMs: number
}

/** "100/1m", "10/s"; nginx's "10r/s" too. */
function parseRate(text: string): Rate | null {
  const match = /^(\d+)(?:r)?\/(\d.*|[a-z]+)$/.exec(text)
  if (match === null) return null
  const per = match[2]!
  const windowMs = parseDuration(/^\d/.test(per) ? per : `1${per}`)
  return windowMs === null ? null : { requests: Number(match[1]), windowMs }
}

const expects = 'requests per time, such as "100/1m" or "10/s"'
const rate = v.pipe(
  v.string(),
  v.metadata({ expects }),
  v.rawTransform<string, Rate>(({ dataset, addIssue, NEVER }) => {
    const found = parseRate(dataset.value)
    if (found !== null && found.requests >= 1 && found.requests <= mostLimit && found.windowMs >= 100) return found
    const why = found === null ? `expected ${expects}` : found.windowMs < 100 ? "expected a time of at least 100 ms" : `expected 1 to ${mostLimit} requests`
    addIssue({ message: why })
    return NEVER
  }),
)

const answerStatus = v.union([v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)), v.pipe(v.string(), v.regex(/^[2-5]xx$/))], 'must be a status such as 401, or "4xx"')

const rule = v.strictObject({
  rate: v.pipe(rate, v.description("Requests per time that a key may make, over a sliding window")),
  burst: v.pipe(v.optional(count({ max: mostLimit })), v.description("Of them at once; the rest evenly over the time. Without it: all")),
  key: v.optional(clientKeySchema(), "ip"),
  name: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,64}$/, "expected letters, digits, _, . and -"))),
    v.description("Rules of one name count together, wherever they stand; it is also what clients are told"),
  ),
  except: v.pipe(v.optional(v.array(v.union([cidr(), v.literal("unix")])), []), v.description("Addresses that are not limited")),
  ipv6_prefix: v.pipe(v.optional(count({ max: 128 }), 64), v.description("Bits of an IPv6 address that count as one client")),
  keys: v.pipe(v.optional(count({ min: 64, max: 16_777_216 }), 65_536), v.description("Keys that are told apart at once; 32 bytes each")),
  scope: v.pipe(
    v.optional(v.picklist(["all", "machine"]), "all"),
    v.description('"all": all machines count together where server.state is shared by them; "machine": each for itself'),
  ),
  status: v.pipe(v.optional(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)), 429), v.description("Of a refusal")),
  count: v.pipe(
    v.optional(v.pipe(v.array(answerStatus), v.minLength(1, "expected at least one status"))),
    v.description("Count only requests that are answered so, as [401] for sign-ins that failed; without it: all"),
  ),
  headers: v.pipe(
    v.optional(v.picklist(["always", "refused", "never"]), "always"),
    v.description("Which answers tell the limit (RateLimit, RateLimit-Policy)"),
  ),
  dry_run: v.pipe(v.optional(v.boolean(), false), v.description("Refuse nothing, only say in the log what would be")),
})

/** `rate_limit = "100/1m"` is short for `{ rate = "100/1m" }`; a list is several rules, all of which must let a request in. */
export const rateLimitSchema = v.pipe(
  v.union([
    v.pipe(
      rate,
      v.transform(given => [v.parse(rule, { rate: `${given.requests}/${given.windowMs}ms` })]),
    ),
    v.pipe(
      rule,
      v.transform(given => [given]),
    ),
    v.pipe(v.array(rule), v.minLength(1, "expected at least one rule")),
  ]),
  v.description('Requests in a time for each client ("100/1m"), a rule, or a list of rules that must all let a request in.'),
)

export type RuleOptions = v.InferOutput<typeof rule>
