import { count, duration } from "edge"
import * as v from "valibot"

const token = v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a name without spaces"))

/** Its other key names a handler: `proxy`, `app`, ... Not told to editors as a route's is: a split may hold splits. */
const group = v.looseObject({
  name: v.pipe(token, v.description("Name of the group: the cookie's value, and what `header` asks for.")),
  weight: v.pipe(v.optional(count({ min: 0, max: 1_000_000 }), 1), v.description("How many of the requests it gets, against the others; 0: only who asks for it.")),
})

const cookie = v.strictObject({
  name: v.pipe(v.optional(token, "edge_split"), v.description("Name of the cookie.")),
  max_age: v.pipe(v.optional(duration({ min: "1s" })), v.description("How long a client stays with its group; without it until the browser ends.")),
})

export const splitSchema = v.strictObject({
  groups: v.pipe(v.array(group), v.minLength(2, "needs two groups at least"), v.description("Who may answer: [{ name, weight, HANDLER }].")),
  cookie: v.pipe(
    v.optional(v.union([token, cookie])),
    v.description("A client stays with the group it once got: name of the cookie, or { name, max_age }."),
  ),
  by: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^(?:ip|(?:header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]+)$/, 'must be "ip", "header:NAME" or "cookie:NAME"'))),
    v.description('What decides in place of chance, so that the same client gets the same group: "ip", "header:NAME", "cookie:NAME".'),
  ),
  header: v.pipe(v.optional(token), v.description("A request field whose value may name the group: X-Canary.")),
  tell: v.pipe(v.optional(token), v.description("A request field that tells the handler the name of the group; what the client sent there is dropped.")),
})

export type SplitConfig = v.InferOutput<typeof splitSchema>
export type GroupConfig = v.InferOutput<typeof group>
export const groupKeys: ReadonlySet<string> = new Set(["name", "weight"])
