import { HttpError } from "../message/errors.ts"

/** What went wrong with an upstream, in one word for logs and counters. */
export type UpstreamFault = "connect" | "connect_timeout" | "send_timeout" | "head_timeout" | "read_timeout" | "closed" | "protocol" | "status"

/**
 * A connection that the peer closed with our bytes unread, or before they came: it did not act on them. One that ends in
 * order, without an answer, may have ended because of them.
 */
export function leftUnread(cause: unknown): boolean {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  return code === "ECONNRESET" || code === "EPIPE"
}

/** An upstream could not answer, or not to the end. 502, or 504 when it was too slow. */
export class UpstreamError extends HttpError {
  readonly fault: UpstreamFault
  readonly upstream: string
  /** No byte of the request reached the upstream: any request may be tried elsewhere. */
  readonly unsent: boolean
  /** Bytes of it were sent, and the upstream was gone without having read them. Known only where nothing is sent twice. */
  readonly unread: boolean
  /** The body, where there is one, can no longer be sent a second time. */
  readonly bodyTaken: boolean

  constructor(fault: UpstreamFault, message: string, facts: { upstream: string; unsent: boolean; unread?: boolean; bodyTaken: boolean; cause?: unknown }) {
    super(fault.endsWith("timeout") ? 504 : 502, `upstream ${facts.upstream}: ${message}`, { cause: facts.cause })
    this.fault = fault
    this.upstream = facts.upstream
    this.unsent = facts.unsent
    this.unread = facts.unread ?? false
    this.bodyTaken = facts.bodyTaken
  }
}
