/** Words for what is allowed, and the nearest right one for what was written. */

/** At most so many words are listed; more would bury the message. */
const LIST_MAX = 24

export function quote(text: string): string {
  return JSON.stringify(text)
}

/** `a`, `a or b`, `a, b or c`. */
export function list(words: readonly string[], last = "or"): string {
  if (words.length < 2) return words[0] ?? ""
  return `${words.slice(0, -1).join(", ")} ${last} ${words[words.length - 1]}`
}

/**
 * `; did you mean "headers"?`, or what is allowed when nothing is near: `; allowed: a, b, c`, or "" without any.
 */
export function didYouMean(wrong: string, right: readonly string[], options: { list?: string } = {}): string {
  const near = nearest(wrong, right)
  if (near !== undefined) return `; did you mean ${quote(near)}?`
  if (options.list === undefined) return ""
  if (right.length === 0) return `; ${options.list}: none`
  const shown = right.slice(0, LIST_MAX)
  return `; ${options.list}: ${shown.join(", ")}${right.length > shown.length ? ", ..." : ""}`
}

/**
 * The right word with the fewest typing errors between, if a typist could have meant it: up to a third of its letters
 * wrong, or one word the beginning of the other (`warning`, `warn`).
 */
export function nearest(wrong: string, right: readonly string[]): string | undefined {
  const written = plain(wrong)
  let best: string | undefined
  let bestCost = Infinity
  for (const word of right) {
    const meant = plain(word)
    const cost = distance(written, meant)
    const limit = Math.max(1, Math.floor(Math.max(written.length, meant.length) / 3))
    if ((cost <= limit || isBeginning(written, meant)) && cost < bestCost) {
      best = word
      bestCost = cost
    }
  }
  return best
}

/** Shorter beginnings fit too much: `s` of `static`, `site`, `strip`. */
const BEGINNING_MIN = 3

function isBeginning(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= BEGINNING_MIN && (a.startsWith(b) || b.startsWith(a))
}

/** Case, `-` and `_` are the commonest slips: `max-requests`, `maxRequests`. */
function plain(word: string): string {
  return word.replace(/[-_\s]/g, "").toLowerCase()
}

/** Optimal string alignment: insert, delete, replace, or swap of two neighbours cost 1 each. */
export function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, beforeLast[j - 2]! + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
