import { UpstreamError, WorkerLost } from "edge"

/**
 * True when another worker may be asked: this one is gone, and it cannot have begun the request. One that had is not run
 * again, whatever its method: it may be what killed the worker, and would kill the next.
 */
export function neverBegun(error: unknown): boolean {
  if (error instanceof WorkerLost) return !error.safeToRetry.sent && error.safeToRetry.bodyTaken === 0
  return error instanceof UpstreamError && (error.unsent || error.unread) && !error.bodyTaken
}

/**
 * The same for one that was prefetched to a worker that runs `slots` requests at once, in the order they came: it is behind
 * all those that had not ended.
 */
export function neverBegunPrefetched(error: unknown, slots: number): boolean {
  return neverBegun(error) || (error instanceof WorkerLost && error.safeToRetry.before >= slots)
}
