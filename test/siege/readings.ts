/**
 * How differently lenient servers read one stream of bytes. Whatever edge writes to an upstream must be the same requests
 * in all of these readings: where two differ, a request can be smuggled past the one that decides.
 */
interface Reading {
  readonly name: string
  /** Which framing counts when a message has both, or several lengths. */
  readonly framing: "coding" | "first length" | "last length"
  /** A bare LF ends a line. */
  readonly bareLf: boolean
  /** Spaces around a name and underscores in it do not matter, and any value with "chunked" in it is the coding. */
  readonly loose: boolean
}

export const readings: readonly Reading[] = [
  { name: "strict", framing: "coding", bareLf: false, loose: false },
  { name: "length first", framing: "first length", bareLf: false, loose: false },
  { name: "last length", framing: "last length", bareLf: true, loose: true },
  { name: "loose coding", framing: "coding", bareLf: true, loose: true },
  { name: "loose length", framing: "first length", bareLf: true, loose: true },
]

/** Request lines of a stream, and what is left when no more can be read. */
export function read(stream: string, reading: Reading): { requests: string[]; rest: string } {
  const requests: string[] = []
  let rest = stream
  for (;;) {
    const end = headEnd(rest, reading.bareLf)
    if (end === undefined) return { requests, rest }
    const [line = "", ...fields] = rest.slice(0, end.at).split(reading.bareLf ? /\r?\n/ : "\r\n")
    const after = bodyEnd(rest, end.next, { fields, reading })
    if (after === undefined) return { requests, rest }
    requests.push(line)
    rest = rest.slice(after)
  }
}

function headEnd(text: string, bareLf: boolean): { at: number; next: number } | undefined {
  const match = (bareLf ? /\r?\n\r?\n/ : /\r\n\r\n/).exec(text)
  return match === null ? undefined : { at: match.index, next: match.index + match[0].length }
}

function bodyEnd(text: string, from: number, { fields, reading }: { fields: readonly string[]; reading: Reading }): number | undefined {
  const pairs = fields.map(field => {
    const colon = field.indexOf(":")
    const name = field.slice(0, Math.max(colon, 0)).toLowerCase()
    return [reading.loose ? name.trim().replaceAll("_", "-") : name, field.slice(colon + 1)] as const
  })
  const lengths = pairs.filter(([name]) => name === "content-length").map(([, value]) => Number.parseInt(value, 10))
  const coded = pairs.some(([name, value]) => name === "transfer-encoding" && (reading.loose ? /chunked/i.test(value) : value.trim().toLowerCase() === "chunked"))
  const length = reading.framing === "last length" ? lengths.at(-1) : lengths[0]
  if (coded && (reading.framing === "coding" || length === undefined)) return chunksEnd(text, from)
  const to = from + (length ?? 0)
  return to > text.length ? undefined : to
}

function chunksEnd(text: string, from: number): number | undefined {
  for (let at = from; ; ) {
    const line = text.indexOf("\n", at)
    if (line < 0) return undefined
    const size = Number.parseInt(text.slice(at, line), 16)
    if (!(size > 0)) {
      const end = /\r?\n\r?\n/.exec(text.slice(at))
      return end === null ? undefined : at + end.index + end[0].length
    }
    at = line + 1 + size + 2
    if (at > text.length) return undefined
  }
}
