import { duration } from "edge"
import * as v from "valibot"
import { algorithms } from "./algorithms.ts"

const names = Object.keys(algorithms) as [string, ...string[]]
const texts = v.union([v.string(), v.array(v.string())], "must be a string or a list of strings")
const headerName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]+$/, "must be a header name"))
const place = v.pipe(v.string(), v.regex(/^(?:bearer|(?:header|cookie|query):[\w-]+)$/, 'must be "bearer", "header:NAME", "cookie:NAME" or "query:NAME"'))

export const jwtSchema = v.strictObject({
  algorithms: v.pipe(
    v.union([v.picklist(names), v.pipe(v.array(v.picklist(names)), v.minLength(1, "expected at least one algorithm"))], `must be one of ${names.join(", ")}, or a list of them`),
    v.description("The only ones that are accepted, whatever a token says of itself"),
  ),
  secret: v.pipe(v.optional(v.string()), v.description("For HS256, HS384, HS512: at least as long as the hash, as ${JWT_SECRET} from the environment")),
  key: v.pipe(v.optional(texts), v.description("For the others: files with public keys or certificates (PEM)")),
  jwks: v.pipe(v.optional(v.string()), v.description("Or a set of keys (RFC 7517): an http or https URL, or a file")),
  jwks_refresh: v.pipe(v.optional(duration({ min: "1s" }), "10m"), v.description("The set is fetched again after it; for a key that is not in it sooner")),
  issuer: v.pipe(v.optional(texts), v.description("iss must be one of them")),
  audience: v.pipe(v.optional(texts), v.description("aud must name one of them")),
  claims: v.pipe(
    v.optional(v.record(v.string(), texts), {}),
    v.description('Claims that must be, or have in their list (or words: scope), one of the values: { scope = "write" }; else 403'),
  ),
  leeway: v.pipe(v.optional(duration({ max: "10m" }), "30s"), v.description("How far clocks may differ, for exp, nbf and iat")),
  max_age: v.pipe(v.optional(duration()), v.description("Oldest that a token may be by its iat")),
  without_exp: v.pipe(v.optional(v.boolean(), false), v.description("Accept tokens that never end")),
  from: v.pipe(v.optional(v.union([place, v.array(place)]), "bearer"), v.description('Where the token is: "bearer", "header:NAME", "cookie:NAME", "query:NAME", or a list')),
  user: v.pipe(v.optional(v.string(), "sub"), v.description("Claim that names the user, for limits behind it")),
  headers: v.pipe(v.optional(v.record(headerName, v.string()), {}), v.description('Headers for the handler, by claim: { X-User = "sub" }; what the client sent by that name is dropped')),
  optional: v.pipe(v.optional(v.boolean(), false), v.description("Requests without a token pass; bad tokens do not")),
  realm: v.pipe(v.optional(v.pipe(v.string(), v.regex(/^[\x20-\x7e]*$/, "must be plain ASCII")), "edge"), v.description("For WWW-Authenticate")),
})

export type JwtOptions = v.InferOutput<typeof jwtSchema>
