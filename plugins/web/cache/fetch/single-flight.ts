/** One answer that is being fetched, and the requests that wait for it. */
import type { HeaderList } from "edge"
import type { CacheEntry } from "../store/entry.ts"
import type { Fill } from "../store/fill.ts"
import type { Outcome } from "../reply/cache-status.ts"

export type FlightResult =
  /** It is stored, or an earlier one may be used in its place; it fits those whose Vary fits. */
  | { readonly kind: "entry"; readonly entry: CacheEntry; readonly outcome: Outcome }
  /** Its head and length are known; the body is on its way. `lines` are to be copied. */
  | { readonly kind: "filling"; readonly fill: Fill; readonly preview: Preview }
  /** It is for the first alone, or it takes too long: each asks for itself. */
  | { readonly kind: "each" }
  | { readonly kind: "failed"; readonly error: unknown }

export interface Preview {
  readonly status: number
  readonly lines: readonly string[]
  fits(headers: HeaderList, extra: string): boolean
}

export class SingleFlight {
  #waiting: ((result: FlightResult) => void)[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #result: FlightResult | undefined

  /** Resolves when it is settled, or with "each" when `waitMs` have passed since the first joined. */
  join(waitMs: number): Promise<FlightResult> {
    if (this.#result !== undefined) return Promise.resolve(this.#result)
    this.#timer ??= setTimeout(() => this.#resolve({ kind: "each" }), waitMs)
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  get settled(): boolean {
    return this.#result !== undefined
  }

  settle(result: FlightResult): void {
    this.#result = result
    this.#resolve(result)
  }

  #resolve(result: FlightResult): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const resolve of this.#waiting.splice(0)) resolve(result)
  }

  /** How many wait now. */
  get size(): number {
    return this.#waiting.length
  }
}
