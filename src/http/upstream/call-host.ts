import type { ResponseHeadReader } from "../codec/response-head.ts"
import type { Exchange } from "../message/exchange.ts"
import type { Reply } from "../message/reply.ts"
import type { UpstreamConnection } from "./connection.ts"
import type { UpstreamError } from "./error.ts"
import type { RequestHead } from "./request-head.ts"

/** Limits of each phase in ms, and of the head. */
export interface CallLimits {
  readonly connectMs: number
  /** From the last byte of the request to the head of the answer. */
  readonly headMs: number
  /** Between two reads of the answer, and between two writes of the request. */
  readonly readMs: number
  /** A tunnel without a byte in either direction. */
  readonly tunnelMs: number
  /** Bytes of an answer's body that are taken from the upstream while the client is slow. */
  readonly holdBytes: number
  readonly headBytes: number
  readonly headFields: number
}

/** What a call needs of its upstream. */
export interface CallHost {
  readonly id: string
  readonly limits: CallLimits
  readonly head: RequestHead
  readonly heads: ResponseHeadReader
  /** It answers `Expect: 100-continue`, as far as is known. */
  saysContinue: boolean
  /** What may have been begun on a kept connection that ended is sent again, where RFC 9112 (9.3.1) allows it. */
  readonly repeats: boolean
  /** A kept connection, which is open, or a new one, to be connected. */
  acquire(fresh: boolean): UpstreamConnection
  /** What a new connection begins with, before the request; null: nothing. */
  preface(x: Exchange): Buffer | null
  /** Tells the connection's user by `onOpen` or `onClosed`, perhaps at once. */
  connect(connection: UpstreamConnection): void
  /** The connection may serve another call. */
  release(connection: UpstreamConnection): void
  /** The call is over and holds nothing any more. */
  ended(): void
  /** The answer broke off after its head was passed on: nobody else hears of it. */
  brokeOff(error: UpstreamError): void
}

/** One exchange and who waits for it. */
export interface CallOf {
  readonly x: Exchange
  resolve(reply: Reply): void
  reject(error: Error): void
  /** Called once, when nothing of the exchange is left: body sent or given up, tunnel closed. */
  readonly over: (() => void) | undefined
}
