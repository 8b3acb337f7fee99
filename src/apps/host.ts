/** One TypeScript app inside this process, as a handler: in a worker behind frames, in a front for gateway "inline". */
import { rmSync } from "node:fs"
import { Facts, AppServer } from "./facts.ts"
import { AppSockets } from "./sockets.ts"
import { toReply } from "../http/bridge/bridge.ts"
import type { Awaitable } from "../http/middleware/chain.ts"
import { HttpError } from "../http/message/errors.ts"
import type { Exchange } from "../http/message/exchange.ts"
import { Reply } from "../http/message/reply.ts"
import type { AppModule } from "../contract/framework.ts"
import type { Logger } from "../log/logger.ts"

export interface AppHostOptions {
  readonly module: AppModule
  readonly log: Logger
  /** Where WebSockets may be taken: path of a unix socket to be made. */
  readonly socketPath: string
}

export class AppHost {
  readonly #module: AppModule
  readonly #options: AppHostOptions
  readonly #later = new Set<Promise<unknown>>()
  /** Names that the log was told of; the first two are what examples of event streams set. */
  readonly #dropped = new Set(["connection", "keep-alive"])
  #server = new AppServer()
  #sockets: AppSockets | undefined

  constructor(options: AppHostOptions) {
    this.#module = options.module
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#module.start?.()
    if (this.#module.websocket === undefined) return
    rmSync(this.#options.socketPath, { force: true })
    this.#sockets = new AppSockets({
      module: this.#module,
      path: this.#options.socketPath,
      onError: (error, request) => this.#log(error, { path: new URL(request.url).pathname }),
      later: this.later,
    })
    this.#server = this.#sockets.server
  }

  /** Path of the unix socket that takes the app's WebSockets; undefined when it has none. */
  get ws(): string | undefined {
    return this.#sockets?.path
  }

  /** WebSockets that are open. */
  get open(): number {
    return this.#sockets?.open ?? 0
  }

  /** Never rejects: what the app throws is logged and answered with 500. */
  readonly handle = (x: Exchange): Awaitable<Reply> => {
    try {
      const { request } = x
      const answer = this.#module.fetch(request, new Facts(x, { server: this.#server, request, later: this.later }))
      if (!(answer instanceof Promise)) {
        const reply = this.#toReply(answer)
        return reply instanceof Promise ? reply.catch((error: unknown) => this.failed(error, x)) : reply
      }
      return answer.then(this.#toReply).catch((error: unknown) => this.failed(error, x))
    } catch (error) {
      return this.failed(error, x)
    }
  }

  readonly #toReply = (response: Response): Awaitable<Reply> => toReply(response, this.#warnOnce)

  /** In the words of Python's workers (edge_heads.py). */
  readonly #warnOnce = (name: string): void => {
    if (this.#dropped.has(name)) return
    this.#dropped.add(name)
    this.#options.log.warn(`edge fetch: the app sets ${name}, which belongs to the connection (RFC 9110, 7.6.1): left out; said once`)
  }

  /** The answer to what the app threw. */
  failed(error: unknown, x: Exchange): Reply {
    if (error instanceof HttpError && error.status < 500) return Reply.text(error.status, `${error.message}\n`)
    // What fails once the client is gone (its body, our stream to it) is no fault of the app.
    if (!x.signal.aborted) this.#log(error, { method: x.method, path: x.path })
    return Reply.text(500, "Internal Server Error\n")
  }

  readonly later = (promise: Promise<unknown>): void => {
    this.#later.add(promise)
    promise
      .catch((error: unknown) => this.#log(error, { after: "waitUntil" }))
      .finally(() => this.#later.delete(promise))
  }

  /** Waits for what waitUntil was given, then stops the app. */
  async stop(deadline: AbortSignal): Promise<void> {
    const cut = new Promise<void>(resolve => deadline.addEventListener("abort", () => resolve(), { once: true }))
    await Promise.race([Promise.allSettled(this.#later), cut])
    this.#sockets?.stop()
    await this.#module.stop?.()
  }

  #log(error: unknown, fields: Record<string, unknown>): void {
    this.#options.log.error("the app failed", { ...fields, error })
  }
}
