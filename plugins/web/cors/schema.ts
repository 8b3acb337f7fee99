import { duration } from "edge"
import * as v from "valibot"

/** "null" is left out on purpose: any page can have it, in a sandboxed frame. */
const origin = v.union(
  [v.literal("*"), v.pipe(v.string(), v.regex(/^[a-z][a-z0-9+.-]*:\/\/(?:\*\.)?[a-z0-9.-]+(?::\d+)?$|^https?:\/\/\[[0-9a-f:]+\](?::\d+)?$/))],
  'must be an origin such as "https://app.example.com" or "https://*.example.com", in lower case, or "*"',
)
const token = v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a name"))
const tokens = v.array(token)

const table = v.strictObject({
  origins: v.pipe(v.array(origin), v.minLength(1, "expected at least one origin"), v.description('Who may read the answers; "*": everybody')),
  methods: v.pipe(v.optional(tokens, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]), v.description("Methods they may use")),
  headers: v.pipe(v.optional(tokens), v.description("Request headers they may send; without it: those they ask for")),
  expose: v.pipe(v.optional(tokens, []), v.description("Response headers that scripts may read, beside the usual ones")),
  credentials: v.pipe(v.optional(v.boolean(), false), v.description('With cookies and sign-in; never for "*"')),
  max_age: v.pipe(v.optional(duration(), "10m"), v.description("How long a browser may keep the answer to a preflight")),
  private_network: v.pipe(v.optional(v.boolean(), false), v.description("Public pages may ask this server in a private network")),
})

/** A list of origins is short for `{ origins = [...] }`. */
export const corsSchema = v.pipe(
  v.union([
    v.pipe(
      v.array(origin),
      v.minLength(1, "expected at least one origin"),
      v.transform(origins => v.parse(table, { origins })),
    ),
    table,
  ]),
  v.description("Origins that may read answers, or a table."),
)

export type Cors = v.InferOutput<typeof table>
