/** When a certificate is due: plain arithmetic, so that a test can move the clock. */
import type { Issued, Trouble } from "./managed.ts"

export type Due =
  | { readonly do: "obtain"; readonly at: number; readonly why: string }
  /** Ask the authority when it would like the renewal. */
  | { readonly do: "ask"; readonly at: number }

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** One that is shorter-lived than this is renewed at half of its life: a day of trouble must not end it. */
const SHORT = 10 * DAY
/** The longest wait after failures: authorities count them by hour and week. */
const LONGEST_WAIT = 8 * HOUR

/** `issued` undefined: there is none yet. What went wrong last holds everything back until its time. */
export function dueOf(issued: Issued | undefined, { trouble, now }: { trouble: Trouble | undefined; now: number }): Due {
  const notBefore = trouble?.againAt ?? 0
  if (issued === undefined) return { do: "obtain", at: Math.max(now, notBefore), why: "there is none yet" }
  const { at, why } = renewalOf(issued)
  if (at <= now) return { do: "obtain", at: Math.max(now, notBefore), why }
  const ask = issued.renewal?.askAgainAt
  return ask !== undefined && ask < at ? { do: "ask", at: Math.max(ask, now) } : { do: "obtain", at: Math.max(at, notBefore), why }
}

function renewalOf({ notBefore, notAfter, renewal }: Issued): { at: number; why: string } {
  const life = notAfter - notBefore
  const own = notBefore + (life < SHORT ? life / 2 : (life * 2) / 3)
  // An authority may want it sooner (a revocation to come), not so late that nothing may go wrong any more.
  const latest = notAfter - Math.min(life / 6, 3 * DAY)
  if (renewal !== undefined && renewal.at < latest) return { at: renewal.at, why: "the authority suggests it" }
  return { at: Math.min(own, latest), why: "two thirds of its life are over" }
}

/** After the first failure a minute, then twice as long each time; more when the authority says so. With a fifth at random: many sites fail together. */
export function troubleAfter(last: Trouble | undefined, { why, now, asked = 0, random = Math.random }: { why: string; now: number; asked?: number; random?: () => number }): Trouble {
  const failures = (last?.failures ?? 0) + 1
  const wait = Math.min(MINUTE * 2 ** (failures - 1), LONGEST_WAIT)
  return { failures, why, againAt: now + Math.max(asked, Math.round(wait * (1 + random() / 5))) }
}
