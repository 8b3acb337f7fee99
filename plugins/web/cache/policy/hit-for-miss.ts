/** Hit-for-miss, as Varnish calls it: keys whose answers were not to be kept: for a while nobody waits for another's, and nothing is taken off a request. */
import { now } from "../clock.ts"

const MOST = 10_000
const DEFAULT_MS = 10_000

export class HitForMiss {
  readonly #until = new Map<string, number>()

  add(key: string, ms = DEFAULT_MS): void {
    this.#until.delete(key)
    this.#until.set(key, now() + ms)
    if (this.#until.size > MOST) for (const oldest of this.#until.keys()) {
      this.#until.delete(oldest)
      break
    }
  }

  has(key: string): boolean {
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (until > now()) return true
    this.#until.delete(key)
    return false
  }
}
