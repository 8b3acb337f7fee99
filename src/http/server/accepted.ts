/** One accepted socket, whatever it speaks: what the listener calls. */
export interface Accepted {
  /** Requests so far. */
  readonly requests: number
  /** Something is under way that may outlast the grace of a reload: a tunnel, an answer that has begun. */
  readonly long: boolean
  /** Since when its client says nothing (performance.now); Infinity while something is under way. */
  readonly idleSince: number
  data(chunk: Buffer): void
  drain(): void
  /** The peer closed its side. */
  end(): void
  /** The socket is closed. */
  gone(): void
  /** The listener leaves: close unless something is under way. */
  leave(): void
  /** Called every few seconds: whoever was idle since the last call lets go of what only makes the next request quicker. */
  rest?(): void
  /** It will be closed in a moment: whoever took it over may say so. */
  serverClosing?(): void
  /** Close now. */
  destroy(): void
}
