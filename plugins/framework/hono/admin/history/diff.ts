/** A piece of a text that was changed. */
export interface DiffPiece {
  readonly kind: "same" | "gone" | "new"
  readonly text: string
}

/** Words compared at most; past it the texts are shown whole, one after the other. */
const MOST_WORDS = 2000

/**
 * What differs between two texts, word by word: the longest common subsequence, after what is equal at both ends was
 * taken off. Quadratic in the words that are left, so those are bounded.
 */
export function diffWords(before: string, after: string): DiffPiece[] {
  const [a, b] = [split(before), split(after)]
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const middleA = a.slice(start, a.length - end)
  const middleB = b.slice(start, b.length - end)
  const middle: DiffPiece[] =
    middleA.length * middleB.length > MOST_WORDS * 200 ? [{ kind: "gone", text: middleA.join("") }, { kind: "new", text: middleB.join("") }] : common(middleA, middleB)
  return joined([{ kind: "same", text: a.slice(0, start).join("") }, ...middle, { kind: "same", text: a.slice(a.length - end).join("") }])
}

function split(text: string): string[] {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? []
}

function common(a: readonly string[], b: readonly string[]): DiffPiece[] {
  const width = b.length + 1
  const lengths = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j] ? lengths[(i + 1) * width + j + 1]! + 1 : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!)
    }
  }
  const pieces: DiffPiece[] = []
  let [i, j] = [0, 0]
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      pieces.push({ kind: "same", text: a[i]! })
      i++
      j++
    } else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) pieces.push({ kind: "gone", text: a[i++]! })
    else pieces.push({ kind: "new", text: b[j++]! })
  }
  return [...pieces, { kind: "gone", text: a.slice(i).join("") }, { kind: "new", text: b.slice(j).join("") }]
}

/** Runs of changes as one piece gone and one new: "A map of" -> "The last", not word for word with the spaces kept. */
function joined(pieces: readonly DiffPiece[]): DiffPiece[] {
  const made: DiffPiece[] = []
  let [gone, fresh] = ["", ""]
  const flush = () => {
    // A space at both ends did not change.
    const tail = gone !== "" && fresh !== "" ? /\s*$/.exec(gone)![0] : ""
    const same = fresh.endsWith(tail) ? tail : ""
    push(made, "gone", gone.slice(0, gone.length - same.length))
    push(made, "new", fresh.slice(0, fresh.length - same.length))
    push(made, "same", same)
    gone = fresh = ""
  }
  for (const [i, { kind, text }] of pieces.entries()) {
    if (kind === "gone") gone += text
    else if (kind === "new") fresh += text
    else if ((gone !== "" || fresh !== "") && /^\s+$/.test(text) && pieces.slice(i + 1).find(next => next.text !== "")?.kind !== "same" && pieces.slice(i + 1).some(next => next.text !== "")) {
      gone += text
      fresh += text
    } else if (text !== "") {
      flush()
      push(made, "same", text)
    }
  }
  flush()
  return made
}

function push(made: DiffPiece[], kind: DiffPiece["kind"], text: string): void {
  const last = made.at(-1)
  if (text === "") return
  if (last?.kind === kind) made[made.length - 1] = { kind, text: last.text + text }
  else made.push({ kind, text })
}
