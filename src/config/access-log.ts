/** Options of an access log: of `[log] access` for all sites, and of a site's own `log`. */
import * as v from "valibot"
import type { AccessSettings } from "../log/access.ts"
import { formatHelp, isName, wrongFormat } from "../log/format.ts"
import { duration } from "./units.ts"
import { path } from "./values.ts"

const say = v.description

const line = v.pipe(
  // Not a string with a check: an alternative that fits but for that would be taken for what was meant.
  v.custom<string>(value => typeof value === "string" && value.includes("{")),
  v.metadata({ expects: "a line with {names}" }),
  v.check(text => wrongFormat(text) === null, issue => wrongFormat(issue.input) ?? ""),
)

export const accessLog = v.strictObject({
  path: v.pipe(v.optional(path(), "-"), say('"-" is stdout')),
  format: v.pipe(
    v.optional(v.union([v.picklist(["json", "combined", "common", "short", "off"]), line])),
    say(`One line per request: ${formatHelp}. Default: "json"; in edge dev "short"`),
  ),
  fields: v.pipe(
    v.optional(v.array(v.pipe(v.string(), v.check(isName, "must be a name as {NAME} in a format"))), []),
    say('With format "json": these fields only, as ["ts", "ip", "status", "header.x-tenant"]'),
  ),
  redact: v.pipe(v.optional(v.array(v.pipe(v.string(), v.minLength(1))), []), say('Query parameters whose values are not written: ["token"]')),
  mask_ip: v.pipe(v.optional(v.boolean(), false), say("Write addresses without their last part: 192.0.2.0, 2001:db8:1::")),
  sample: v.pipe(
    v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 1),
    say("Share of the answers below 400 that are written, 0 to 1"),
  ),
  slow: v.pipe(v.optional(duration()), say("Requests that take longer are told to the event log too")),
})

/** `resolve` makes a relative path absolute. */
export function toAccess(options: v.InferOutput<typeof accessLog>, resolve: (path: string) => string): AccessSettings {
  const { path: file, format, fields, redact, mask_ip: maskIp, sample, slow = 0 } = options
  return { path: file === "-" ? file : resolve(file), format, fields, redact, maskIp, sample, slowMs: slow }
}
