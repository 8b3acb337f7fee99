const enum Type {
  Data,
  Headers,
  Priority,
  Reset,
  Settings,
  PushPromise,
  Ping,
}

/** Frames of no use to a request that a client may send in a window of time; browsers and gRPC stay below a tenth. */
const allowed = 2000
const windowMs = 10_000

/**
 * Counts what costs a server more than its sender (RFC 9113, 10.5): PING, SETTINGS, PRIORITY, RST_STREAM, empty DATA and
 * unknown frames. Bun limits rapid reset and CONTINUATION itself, but none of these. Looks at the nine bytes of each
 * frame's header only.
 */
export class FrameGuard {
  #skip = 0
  readonly #head = new Uint8Array(9)
  #have = 0
  #count = 0
  #windowStart = 0

  /** False when the client floods. */
  take(bytes: Uint8Array): boolean {
    let i = 0
    while (i < bytes.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.length - i)
        this.#skip -= step
        i += step
        continue
      }
      this.#head[this.#have++] = bytes[i++]!
      if (this.#have === 9) {
        this.#have = 0
        if (!this.#frame(this.#head)) return false
      }
    }
    return true
  }

  #frame(head: Uint8Array): boolean {
    this.#skip = (head[0]! << 16) | (head[1]! << 8) | head[2]!
    const type = head[3]!
    const endStream = (head[4]! & 1) === 1
    const idle = type === Type.Data ? this.#skip === 0 && !endStream : (type >= Type.Priority && type <= Type.Ping && type !== Type.PushPromise) || type > 9
    if (!idle) return true
    const now = performance.now()
    if (now - this.#windowStart > windowMs) {
      this.#windowStart = now
      this.#count = 0
    }
    return ++this.#count <= allowed
  }
}
