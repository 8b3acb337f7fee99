import { checkOptions } from "edge"
const RealDate = Date

/** Time as the app sees it, moved; timers run as always. `using _ = travel("2 days")` comes back at the end of the block. */
export class Travel implements Disposable {
  #offsetMs = 0

  /** Further on by so much: { days: 2, hours: 1 }. */
  forward(by: { days?: number; hours?: number; minutes?: number; seconds?: number }): this {
    checkOptions("travel().forward()", by, { days: "number", hours: "number", minutes: "number", seconds: "number" })
    this.#offsetMs += (((by.days ?? 0) * 24 + (by.hours ?? 0)) * 60 + (by.minutes ?? 0)) * 60_000 + (by.seconds ?? 0) * 1000
    return this
  }

  /** To a moment; the clock goes on from there. */
  to(moment: Date | string): this {
    this.#offsetMs = new RealDate(moment).getTime() - RealDate.now()
    return this
  }

  now(): number {
    return RealDate.now() + this.#offsetMs
  }

  /** Back to the real time. */
  [Symbol.dispose](): void {
    globalThis.Date = RealDate
  }
}

/** Starts travelling: every `new Date()` and `Date.now()` of the process is moved, until it is disposed of. */
export function travel(to?: Date | string): Travel {
  const journey = new Travel()
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [journey.now()] : args, newTarget) as object,
    apply: () => new RealDate(journey.now()).toString(),
    get: (target, key) => (key === "now" ? () => journey.now() : Reflect.get(target, key)),
  })
  return to === undefined ? journey : journey.to(to)
}
