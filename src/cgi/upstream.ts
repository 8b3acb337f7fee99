/** Servers that are told of requests as CGI is: FastCGI (PHP-FPM) and uwsgi (uWSGI). */
import { ResponseHeadReader } from "../http/codec/response-head.ts"
import type { Exchange } from "../http/message/exchange.ts"
import type { Reply } from "../http/message/reply.ts"
import { Connector } from "../http/upstream/connect.ts"
import { UpstreamConnection } from "../http/upstream/connection.ts"
import type { UpstreamTarget } from "../http/upstream/target.ts"
import { CgiCall } from "./call.ts"
import type { CgiCallHost, CgiProtocol } from "./call.ts"
import type { ScriptFacts } from "./params.ts"

export interface CgiUpstreamOptions {
  readonly target: UpstreamTarget
  readonly protocol: CgiProtocol
  /** Until the head of the answer, in ms; Infinity for none. */
  readonly headMs: number
  /** FastCGI: connections kept while idle. Each holds a process of PHP-FPM, also from the other fronts. */
  readonly keepIdle: number
  /** Which script answers; throws an HttpError when there is none. */
  script(x: Exchange): ScriptFacts
  /** What the program wrote to the error stream of a request. */
  onStderr(text: string): void
}

const connectMs = 5000
/** An idle connection is closed after this. */
const keepIdleMs = 10_000

export class CgiUpstream implements CgiCallHost {
  readonly options: CgiUpstreamOptions
  readonly connectMs = connectMs
  readonly heads = new ResponseHeadReader({ headBytes: 65_536, headFields: 256 })
  readonly #connector: Connector
  readonly #idle: UpstreamConnection[] = []
  #closed = false

  constructor(options: CgiUpstreamOptions) {
    this.options = options
    this.#connector = new Connector(options.target, { tls: {}, most: 1024 })
  }

  /** Rejects with UpstreamError when the server fails. `over` is called once, when it is done with the request. */
  readonly send = (x: Exchange, over?: () => void): Promise<Reply> =>
    new Promise((resolve, reject) => void new CgiCall(this, { x, resolve, reject, over }).start())

  acquire(fresh: boolean): UpstreamConnection {
    const kept = fresh ? undefined : this.#idle.pop()
    if (kept === undefined) return new UpstreamConnection(this.#forget)
    kept.uses++
    return kept
  }

  connect(connection: UpstreamConnection): void {
    this.#connector.connect(connection)
  }

  release(connection: UpstreamConnection): void {
    connection.user = null
    if (this.#closed || this.#idle.length >= this.options.keepIdle) return connection.close()
    connection.limit(keepIdleMs)
    this.#idle.push(connection)
  }

  close(): void {
    this.#closed = true
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  readonly #forget = (connection: UpstreamConnection): void => {
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}
