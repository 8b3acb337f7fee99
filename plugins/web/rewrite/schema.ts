import * as v from "valibot"

const part = v.pipe(v.string(), v.regex(/^\/[\x21-\x7e]*[^/]$/, 'must be a path such as "/api", without a slash at the end'))

const rule = v.strictObject({
  from: v.pipe(v.string(), v.description('Regular expression over the decoded path: "^/user/(\\\\d+)$"; the first rule that matches is taken.')),
  to: v.pipe(
    v.string(),
    v.description('What comes in its place: "/profile?id=$1". $1 or $<name> is what a group caught, {path} {query} {host} {rest} as for redirect.'),
  ),
  all: v.pipe(v.optional(v.boolean(), false), v.description("Replace every match within the path, and nothing around them; else the whole path.")),
  status: v.pipe(
    v.optional(v.picklist([301, 302, 303, 307, 308], "must be 301, 302, 303, 307 or 308")),
    v.description("Tell the client to go there, with this status, in place of going on with it."),
  ),
})

const query = v.strictObject({
  set: v.pipe(v.optional(v.record(v.string(), v.string()), {}), v.description("Parameters that replace all of that name.")),
  remove: v.pipe(v.optional(v.array(v.string()), []), v.description("Parameters that are taken off.")),
})

export const rewriteSchema = v.strictObject({
  from: v.optional(rule.entries.from),
  to: v.optional(rule.entries.to),
  all: rule.entries.all,
  status: rule.entries.status,
  rules: v.pipe(v.optional(v.array(rule), []), v.description("Several of them, as [{ from, to }], tried in order.")),
  strip_prefix: v.pipe(v.optional(part), v.description("Taken off the front of the path, where it is there.")),
  strip_suffix: v.pipe(v.optional(v.string()), v.description('Taken off the end of the path, where it is there: ".html".')),
  add_prefix: v.pipe(v.optional(part), v.description("Put in front of the path.")),
  query: v.pipe(v.optional(query), v.description("Changes of the query's parameters.")),
})

export type RewriteConfig = v.InferOutput<typeof rewriteSchema>
export type RuleConfig = v.InferOutput<typeof rule>
