/** Unix milliseconds that no clock change moves: an entry must not become young again, nor all of them stale at once. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}
