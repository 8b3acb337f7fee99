/**
 * Checks passwords. A hash takes 50 to 200 ms of a core and up to 64 MB by design, so: few at once, a bounded queue, the
 * same question asked once, and the answer kept under a keyed digest of name, password and hash (what is in memory cannot
 * be turned back into passwords, and a changed hash has another digest).
 */
import { HttpError } from "edge"

const AT_ONCE = 2
const MOST_WAITING = 64
/** Good answers that are kept; the longest unused goes first. */
const MOST_GOOD = 4096
/** Bad ones: a client that keeps trying the same wrong password costs nothing more. */
const MOST_BAD = 1024

export interface Question {
  readonly digest: string
  readonly password: string
  readonly hash: string
}

export class Verifier {
  readonly #good = new Set<string>()
  readonly #bad = new Set<string>()
  readonly #asked = new Map<string, Promise<boolean>>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  /** What is known already; undefined when it must be worked out. */
  known(digest: string): boolean | undefined {
    if (this.#good.has(digest)) {
      // Moved to the end, when that matters.
      if (this.#good.size > MOST_GOOD / 2 && this.#good.delete(digest)) this.#good.add(digest)
      return true
    }
    return this.#bad.has(digest) ? false : undefined
  }

  ask(question: Question): Promise<boolean> {
    const { digest } = question
    const asked = this.#asked.get(digest)
    if (asked !== undefined) return asked
    if (this.#waiting.length >= MOST_WAITING) {
      throw new HttpError(503, "too many passwords are being checked", { headers: [["Retry-After", "1"]], quiet: true })
    }
    const answer = this.#work(question).finally(() => this.#asked.delete(digest))
    this.#asked.set(digest, answer)
    return answer
  }

  async #work({ digest, password, hash }: Question): Promise<boolean> {
    if (this.#running >= AT_ONCE) await new Promise<void>(resolve => this.#waiting.push(resolve))
    else this.#running++
    try {
      const good = await Bun.password.verify(password, hash)
      if (good) keep(this.#good, { digest, most: MOST_GOOD })
      else keep(this.#bad, { digest, most: MOST_BAD })
      return good
    } finally {
      // The next takes over our place.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}

function keep(set: Set<string>, { digest, most }: { digest: string; most: number }): void {
  if (set.size >= most) set.delete(set.values().next().value!)
  set.add(digest)
}
