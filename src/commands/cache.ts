/** `edge cache`: what the caches did since their fronts began. */
import { control } from "../control.ts"
import { EdgeError } from "../errors.ts"
import { type ControlOptions, controlSocket } from "./control-socket.ts"
import { megabytes, table } from "./table.ts"

/** One cache in one front, or in all of them. */
interface CacheState {
  readonly at: string
  readonly hits: number
  readonly misses: number
  readonly bypassed: number
  readonly answers: number
  readonly bytes: number
}

export async function run(options: ControlOptions & { readonly json?: boolean }): Promise<void> {
  const { told = [] } = await control(await controlSocket(options), { do: "tell", command: { name: "cache", args: {} }, keep: false })
  const all = sum(told.flat() as CacheState[])
  if (all.length === 0) throw new EdgeError({ code: "cache/none", message: "there is no cache in the config" })
  console.log(options.json === true ? JSON.stringify(all, null, 2) : rows(all))
}

/** Fronts count each for itself. */
function sum(states: readonly CacheState[]): CacheState[] {
  const all = new Map<string, CacheState>()
  for (const state of states) {
    const known = all.get(state.at)
    const add = (key: Exclude<keyof CacheState, "at">) => (known?.[key] ?? 0) + state[key]
    all.set(state.at, { at: state.at, hits: add("hits"), misses: add("misses"), bypassed: add("bypassed"), answers: add("answers"), bytes: add("bytes") })
  }
  return [...all.values()]
}

function rows(caches: readonly CacheState[]): string {
  return table([
    ["CACHE", "HITS", "MISSES", "BYPASSED", "HIT RATE", "ANSWERS", "MEMORY"],
    ...caches.map(({ at, hits, misses, bypassed, answers, bytes }) => [at, hits, misses, bypassed, rate(hits, misses), answers, megabytes(bytes)]),
  ])
}

function rate(hits: number, misses: number): string {
  return hits + misses === 0 ? "-" : `${((100 * hits) / (hits + misses)).toFixed(1)} %`
}
