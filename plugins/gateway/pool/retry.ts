import type { Exchange } from "edge"
import { UpstreamError, WorkerLost } from "edge"

/** RFC 9110, 9.2.2: doing it twice does what doing it once does. */
const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])

/** True when another worker may be asked: this one is gone without an answer, and nothing can have happened twice. */
export function mayRetry(error: unknown, x: Exchange): boolean {
  if (error instanceof WorkerLost) {
    const { sent, bodyTaken } = error.safeToRetry
    return bodyTaken === 0 && (!sent || idempotent.has(x.method))
  }
  if (!(error instanceof UpstreamError) || error.bodyTaken) return false
  const gone = error.fault === "closed" || error.fault === "connect"
  return error.unsent || (gone && idempotent.has(x.method))
}
