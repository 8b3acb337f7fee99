import * as v from "valibot"

/** The engine's own: how the message is framed, and when it was made. */
const framing = new Set(["connection", "content-length", "date", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"])

/** RFC 9110 5.6.2: a name is a token. */
const name = v.pipe(
  v.string(),
  v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a header name"),
  v.check(header => !framing.has(header.toLowerCase()), "is set by the server itself"),
)
/** RFC 9110 5.5: one line, no control characters, no space at its ends. */
const value = v.pipe(
  v.string(),
  v.regex(/^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/, "must be a header value: one line of Latin-1"),
)
const values = v.union([value, v.array(value)], "must be a string or a list of strings")

const changes = {
  set: v.pipe(v.optional(v.record(name, values), {}), v.description("Lines that replace all of that name; a list makes one line each.")),
  add: v.pipe(v.optional(v.record(name, values), {}), v.description("Lines that are added to those there are.")),
  default: v.pipe(v.optional(v.record(name, values), {}), v.description("Lines for names that have none.")),
  remove: v.pipe(v.optional(v.array(name), []), v.description("Names whose lines are removed, before the others are set.")),
}

export const headersSchema = v.strictObject({
  ...changes,
  request: v.pipe(v.optional(v.strictObject(changes)), v.description("The same for the request, before the handler sees it.")),
})

export type Changes = Omit<v.InferOutput<typeof headersSchema>, "request">
