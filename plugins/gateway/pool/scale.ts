/**
 * How many workers a pool with { min, max } should have: pure, fed with one sample every `sampleMs`.
 * Up at once when requests wait, and when the workers are busy on average; down one by one, and only after a long calm
 * in which one worker less would not be busy either. The gap between the two marks is the hysteresis.
 */

export interface Sample {
  readonly nowMs: number
  readonly min: number
  readonly max: number
  readonly target: number
  /** Workers that take requests. */
  readonly ready: number
  /** Slots taken over all of them, and slots of one. */
  readonly busy: number
  readonly slots: number
  /** Requests that wait, and requests turned away since the last sample. */
  readonly queued: number
  readonly refused: number
}

export interface Load {
  /** Smoothed share of slots taken, 0 to 1. */
  readonly utilisation: number
  /** Samples in a row with requests waiting. */
  readonly waiting: number
  /** Since when one worker less would do; 0: it would not. */
  readonly calmSinceMs: number
}

export const noLoad: Load = { utilisation: 0, waiting: 0, calmSinceMs: 0 }
export const sampleMs = 250

const busyMark = 0.8
const calmMark = 0.5
/** So long a calm before one worker is let go: a start costs more than an idle minute. */
const calmMs = 30_000
/** Weight of the newest sample: about two seconds of memory. */
const weight = 0.125

export function autoscale(load: Load, s: Sample): { target: number; load: Load } {
  const share = s.ready === 0 ? 0 : s.busy / (s.ready * s.slots)
  const utilisation = load.utilisation + (share - load.utilisation) * weight
  const pressed = s.queued > 0 || s.refused > 0
  const waiting = pressed ? load.waiting + 1 : 0
  const clamp = (n: number) => Math.max(s.min, Math.min(s.max, n))

  if (s.target === 0 && pressed) return { target: clamp(1), load: { utilisation, waiting, calmSinceMs: 0 } }
  // Workers on their way are waited for before more are started.
  if (s.ready >= s.target && s.target > 0) {
    // one sample may be a burst that is over already
    if (waiting >= 2) {
      const more = Math.min(s.target, Math.max(1, Math.ceil(s.queued / s.slots)))
      return { target: clamp(s.target + more), load: { utilisation, waiting: 0, calmSinceMs: 0 } }
    }
    if (utilisation > busyMark) return { target: clamp(s.target + 1), load: { utilisation, waiting, calmSinceMs: 0 } }
  }

  const withoutOne = s.target > 1 ? (utilisation * s.ready) / (s.target - 1) : utilisation > 0.01 ? 1 : 0
  if (pressed || s.target <= s.min || withoutOne >= calmMark)
    return { target: clamp(s.target), load: { utilisation, waiting, calmSinceMs: 0 } }
  const calmSinceMs = load.calmSinceMs === 0 ? s.nowMs : load.calmSinceMs
  if (s.nowMs - calmSinceMs < calmMs) return { target: clamp(s.target), load: { utilisation, waiting, calmSinceMs } }
  return { target: clamp(s.target - 1), load: { utilisation, waiting, calmSinceMs: s.nowMs } }
}
