/** What a client may cost. Sizes in bytes, times in milliseconds; the defaults are those of the config reference. */
export interface Limits {
  /** Request line and header section together; past it 431, or 414 when the request line alone is longer. */
  readonly headBytes: number
  /** Header lines; past it 431. */
  readonly headFields: number
  /** Default of an exchange's `bodyLimit`; past it 413. */
  readonly bodyBytes: number
  /** From the first byte of a head to its last; past it 408. */
  readonly headTimeoutMs: number
  /** A body that is awaited must bring this many bytes a second, measured over `overMs`; else 408. */
  readonly bodyRate: { readonly bytesPerSecond: number; readonly overMs: number }
  /** A kept connection without a request. */
  readonly idleTimeoutMs: number
  /** A client that takes no byte of its answer for so long is cut. */
  readonly sendTimeoutMs: number
  /** After an answer that had to close the connection: how long more bytes are read and dropped, so that it arrives. */
  readonly lingerMs: number
  /** An unread rest of a body up to this size is read and dropped to keep the connection. */
  readonly drainBytes: number
  /** Bytes of further requests that are held while one is answered; past it the socket is paused. */
  readonly pipelineBytes: number
  /** A client that closed its side is taken for gone when its answer has not begun by then; 0: at once, also in an answer. */
  readonly halfCloseMs: number
  /** Connections that may be open at once, for each address and front; 0 for no limit. */
  readonly connections: number
  /** Of one client (an IPv6 one is its /64), other than trusted proxies. */
  readonly connectionsPerIp: number
  /** Pass header names with "_": they collide with "-" in CGI, WSGI and PHP (`X_Forwarded_For`). */
  readonly underscores: boolean
  /** Value of the Server header; none when absent. */
  readonly server?: string
}

export const defaultLimits: Limits = {
  headBytes: 16_384,
  headFields: 100,
  bodyBytes: 100 * 1024 * 1024,
  headTimeoutMs: 10_000,
  bodyRate: { bytesPerSecond: 1000, overMs: 20_000 },
  idleTimeoutMs: 75_000,
  sendTimeoutMs: 60_000,
  lingerMs: 5000,
  drainBytes: 65_536,
  pipelineBytes: 65_536,
  halfCloseMs: 0,
  connections: 0,
  connectionsPerIp: 0,
  underscores: false,
}
