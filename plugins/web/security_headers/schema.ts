import { duration } from "edge"
import * as v from "valibot"

/** RFC 9110 5.5: one line of visible characters. */
const line = v.pipe(v.string(), v.regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "must be one line of ASCII"))
const off = v.literal(false)

/** Directives as the header has them, or a table of them: `{ "default-src" = ["'self'"] }`. */
const csp = v.pipe(
  v.union([line, v.record(v.pipe(v.string(), v.regex(/^[a-z-]+$/, "must be a directive such as default-src")), v.union([line, v.array(line)]))]),
  v.transform(given =>
    typeof given === "string"
      ? given
      : Object.entries(given)
          .map(([name, sources]) => [name, ...(typeof sources === "string" ? [sources] : sources)].join(" "))
          .join("; "),
  ),
)

/** `camera=()`, or a table: `{ camera = [], geolocation = ["self", "https://maps.example"] }`. */
const permissions = v.pipe(
  v.union([line, v.record(v.pipe(v.string(), v.regex(/^[a-z-]+$/, "must be a feature such as camera")), v.array(line))]),
  v.transform(given =>
    typeof given === "string"
      ? given
      : Object.entries(given)
          .map(([feature, who]) => `${feature}=(${who.map(one => (one.includes(":") ? `"${one}"` : one)).join(" ")})`)
          .join(", "),
  ),
)

const hsts = v.strictObject({
  max_age: v.pipe(v.optional(duration(), "1y"), v.description("How long browsers ask by https only")),
  subdomains: v.pipe(v.optional(v.boolean(), false), v.description("For all names below this one too")),
  preload: v.pipe(v.optional(v.boolean(), false), v.description("May be built into browsers (hstspreload.org): nearly impossible to undo")),
})

const oneOf = (values: readonly [string, ...string[]], fallback: string | false, help: string) =>
  v.pipe(v.optional(v.union([v.picklist(values), off]), fallback), v.description(help))

export const securityHeadersSchema = v.strictObject({
  hsts: v.pipe(
    v.optional(v.union([off, v.pipe(duration(), v.transform(ms => ({ max_age: ms, subdomains: false, preload: false }))), hsts]), "1y"),
    v.description("Strict-Transport-Security, sent over https only: how long, or { max_age, subdomains, preload }"),
  ),
  nosniff: v.pipe(v.optional(v.boolean(), true), v.description("X-Content-Type-Options: browsers believe the Content-Type")),
  frame: oneOf(["deny", "sameorigin"], "sameorigin", "X-Frame-Options: who may show the page in a frame"),
  referrer: oneOf(
    ["no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin", "strict-origin", "strict-origin-when-cross-origin", "unsafe-url"],
    "strict-origin-when-cross-origin",
    "Referrer-Policy: how much of the address other sites learn",
  ),
  opener: oneOf(["same-origin", "same-origin-allow-popups", "unsafe-none"], "same-origin-allow-popups", "Cross-Origin-Opener-Policy"),
  resource: oneOf(["same-origin", "same-site", "cross-origin"], false, "Cross-Origin-Resource-Policy"),
  embedder: oneOf(["require-corp", "credentialless", "unsafe-none"], false, "Cross-Origin-Embedder-Policy"),
  csp: v.pipe(v.optional(csp), v.description("Content-Security-Policy, as text or as a table of directives")),
  csp_report_only: v.pipe(v.optional(csp), v.description("Content-Security-Policy-Report-Only, to try one out")),
  permissions: v.pipe(v.optional(permissions), v.description("Permissions-Policy, as text or as a table of features")),
  override: v.pipe(v.optional(v.boolean(), false), v.description("Also where the answer has a line of that name")),
})

export type SecurityHeaders = v.InferOutput<typeof securityHeadersSchema>
