import * as v from "valibot"

/** RFC 9110 5.6.2 and 5.5: a name is a token; a value has no control characters and no space at its ends. */
const name = v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a header name"))
const value = v.pipe(v.string(), v.regex(/^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/, "must be a header value: one line of Latin-1"))

const framing = new Set(["connection", "content-length", "date", "keep-alive", "transfer-encoding", "upgrade", "trailer"])

const headers = v.pipe(
  v.record(
    v.pipe(
      name,
      v.check(header => !framing.has(header.toLowerCase()), "is set by the server itself"),
    ),
    v.union([value, v.array(value)], "must be a string or a list of strings"),
  ),
)

export const respondSchema = v.pipe(
  v.union(
    [
      v.string(),
      v.strictObject({
        status: v.pipe(
          v.optional(v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)), 200),
          v.description("Status of the answer, 200 to 599."),
        ),
        body: v.pipe(v.optional(v.string()), v.description("The body, as text.")),
        file: v.pipe(v.optional(v.string()), v.description("File whose bytes are the body; read once, at start.")),
        json: v.pipe(v.optional(v.any()), v.description("A value whose JSON is the body.")),
        type: v.pipe(v.optional(value), v.description("Content-Type; by default that of the file, or text/plain.")),
        headers: v.pipe(v.optional(headers, {}), v.description("Further header lines; a list makes one line each.")),
      }),
    ],
    'must be a text, or a table such as { status = 200, body = "pong" }',
  ),
  v.description("The body of a 200, or a table."),
)

/** One pair for each line. */
export function toPairs(table: Readonly<Record<string, string | readonly string[]>>): [name: string, value: string][] {
  return Object.entries(table).flatMap(([header, values]) =>
    (typeof values === "string" ? [values] : values).map((one): [string, string] => [header, one]),
  )
}
