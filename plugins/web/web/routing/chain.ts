import type { Answer, Awaitable, Exchange, Handler } from "edge"
import { PASS } from "edge"

/** One path of one route. */
export interface RouteMatch {
  /** Place of the route in the file: the order in which matching ones are tried. */
  readonly order: number
  /** Handler of the route, its middleware around it. */
  readonly run: Handler
  /** The matchers other than path; null when there is none. */
  readonly match: ((x: Exchange) => boolean) | null
  /** What Exchange.restAt is to be while this one runs. */
  readonly restAt: number
  readonly params: Record<string, string>
}

export const noParams: Record<string, string> = Object.freeze({}) as Record<string, string>

/** Tries the entries in their order; PASS when none answers. A single one without matchers costs two stores. */
export function chain(entries: readonly RouteMatch[]): Handler {
  if (entries.length === 0) return () => PASS
  const [only] = entries
  if (entries.length > 1 || only!.match !== null) return x => new Attempt(x, entries).from(0)
  const { run, restAt, params } = only!
  return x => {
    x.params = params
    x.restAt = restAt
    return run(x)
  }
}

/** One exchange on its way along the entries. */
export class Attempt {
  readonly #x: Exchange
  readonly #entries: readonly RouteMatch[]

  constructor(x: Exchange, entries: readonly RouteMatch[]) {
    this.#x = x
    this.#entries = entries
  }

  /** The answer of the first entry from `index` on that has one. */
  from(index: number): Awaitable<Answer> {
    const x = this.#x
    for (let i = index; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!
      if (entry.match !== null && !entry.match(x)) continue
      x.params = entry.params
      x.restAt = entry.restAt
      const answer = entry.run(x)
      if (answer instanceof Promise) return answer.then(got => (got === PASS ? this.from(i + 1) : got))
      if (answer !== PASS) return answer
    }
    return PASS
  }
}

/** In the order of the file, each route once (two of its paths may match). */
export function inOrder(entries: readonly RouteMatch[]): RouteMatch[] {
  return entries.toSorted((a, b) => a.order - b.order).filter((entry, i, all) => entry.order !== all[i - 1]?.order)
}
