/** One answer that is being fetched, and the requests that wait for it. */
import type { HeaderList } from "edge"
import type { Entry } from "./entry.ts"
import type { Fill } from "./fill.ts"
import type { Outcome } from "./status.ts"

export type Landing =
  /** It is stored, or an earlier one may be used in its place; it fits those whose Vary fits. */
  | { readonly kind: "entry"; readonly entry: Entry; readonly outcome: Outcome }
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

export class Flight {
  #waiting: ((landing: Landing) => void)[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #landing: Landing | undefined

  /** Resolves when it has landed, or with "each" when `waitMs` have passed since the first joined. */
  join(waitMs: number): Promise<Landing> {
    if (this.#landing !== undefined) return Promise.resolve(this.#landing)
    this.#timer ??= setTimeout(() => this.#tell({ kind: "each" }), waitMs)
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  get landed(): boolean {
    return this.#landing !== undefined
  }

  land(landing: Landing): void {
    this.#landing = landing
    this.#tell(landing)
  }

  #tell(landing: Landing): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const resolve of this.#waiting.splice(0)) resolve(landing)
  }

  /** How many wait now. */
  get size(): number {
    return this.#waiting.length
  }
}
