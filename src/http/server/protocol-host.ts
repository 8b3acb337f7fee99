import type { Handler } from "../middleware/chain.ts"
import type { Exchange, ExchangeEnd } from "../message/exchange.ts"
import type { HeaderList } from "../message/headers.ts"
import type { Limits } from "./limits.ts"
import type { Logger } from "../../log/logger.ts"

/** What the listener gives to all of its connections, whatever they speak. */
export interface ProtocolHost {
  readonly handler: Handler
  readonly limits: Limits
  readonly log: Logger
  readonly onExchangeEnd: ((x: Exchange, end: ExchangeEnd) => void) | undefined
  /** No more requests on kept connections: every answer says `Connection: close`. */
  readonly leaving: boolean
  /** And kept connections without a request are closed. */
  readonly closingIdle: boolean
}

export interface Sent {
  readonly status: number
  readonly bytesOut: number
  readonly error: unknown
  readonly headers: HeaderList | undefined
}

/** Tells everybody who waits for the end of an exchange. */
export function reportEnd(host: ProtocolHost, x: Exchange, sent: Sent): void {
  if (x.ends === null && host.onExchangeEnd === undefined) return
  const { status, bytesOut, error, headers } = sent
  const end: ExchangeEnd = { status, bytesOut, ms: performance.now() - x.startMs, error, headers }
  for (const f of x.ends ?? []) {
    try {
      f(end)
    } catch (e) {
      logProblem(host, x, { message: "an end listener failed", error: e })
    }
  }
  host.onExchangeEnd?.(x, end)
}

export function logProblem(host: ProtocolHost, x: Exchange, problem: { message: string; error: unknown }): void {
  const { method, target, peer } = x
  host.log.error(problem.message, { method, host: x.host, target, peer, error: problem.error })
}
