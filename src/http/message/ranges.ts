/** Range requests (RFC 9110 14). */

/** `end` is exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** More are refused by sending the whole: a thousand overlapping ranges were a way to exhaust servers (CVE-2011-3192). */
const MAX_SPANS = 16

/** Null: send the whole file (no, malformed or abusive Range). Empty: 416. */
export function parseRange(value: string, size: number): readonly Span[] | null {
  const list = /^bytes=(.*)$/i.exec(value)
  if (list === null) return null
  const spans: Span[] = []
  let given = 0
  let total = 0
  for (const item of list[1]!.split(",")) {
    const text = item.trim()
    if (text === "") continue
    const match = /^(\d*)-(\d*)$/.exec(text)
    if (match === null || text === "-" || ++given > MAX_SPANS) return null
    const span = toSpan({ first: match[1]!, last: match[2]! }, size)
    if (span === null) return null
    // The last bytes of nothing are nothing, and that can be had: the whole, for no Content-Range can say it (RFC 9110 14.1.2).
    if (size === 0 && match[1] === "" && Number(match[2]) > 0) return null
    if (span.start >= span.end) continue
    spans.push(span)
    total += span.end - span.start
  }
  if (given === 0 || (spans.length > 1 && total > size)) return null
  return spans
}

/** An empty span is one that cannot be had; null one that is malformed. */
function toSpan({ first, last }: { first: string; last: string }, size: number): Span | null {
  if (first === "") return { start: Math.max(0, size - Number(last)), end: Number(last) === 0 ? 0 : size }
  const start = Number(first)
  if (last === "") return { start, end: size }
  if (Number(last) < start) return null
  return { start, end: Math.min(Number(last) + 1, size) }
}
