import { Flag, type FrameHead, Type } from "./frame.ts"

/** Frames of no use to a request that a client may send in a window of time; browsers and gRPC stay below a tenth. */
const allowed = 2000
const windowMs = 10_000

/**
 * Counts what costs a server more than its sender (RFC 9113, 10.5): PING, SETTINGS, PRIORITY, RST_STREAM, empty DATA and
 * unknown frames. Bun limits rapid reset itself, but none of these.
 */
export class FrameGuard {
  #count = 0
  #windowStart = 0

  /** False when the client floods. */
  allows({ type, flags, length }: FrameHead): boolean {
    const idle = type === Type.Data ? length === 0 && (flags & Flag.EndStream) === 0 : (type >= Type.Priority && type <= Type.Ping && type !== Type.PushPromise) || type > Type.Continuation
    if (!idle) return true
    const now = performance.now()
    if (now - this.#windowStart > windowMs) {
      this.#windowStart = now
      this.#count = 0
    }
    return ++this.#count <= allowed
  }
}
