import { rmSync } from "node:fs"
import { join } from "node:path"
import { AppHost, HttpError, SocketRoad, tempFolder, wantsWebSocket } from "edge"
import type { AppLink, AppSpec, Awaitable, Exchange, Reply } from "edge"
import { Timeouts } from "./timeout-504.ts"

/** One app in one front. */
export class InlineApp {
  readonly #app: AppSpec
  readonly #link: AppLink
  readonly #timeouts: Timeouts | undefined
  #host: AppHost | undefined
  #road: SocketRoad | undefined
  /** Holds the private socket for WebSockets; nobody else may enter it. */
  #folder: string | undefined

  constructor(app: AppSpec, link: AppLink) {
    this.#app = app
    this.#link = link
    this.#timeouts = app.timeoutMs > 0 ? new Timeouts(app.timeoutMs) : undefined
  }

  async start(): Promise<void> {
    const module = await this.#link.load()
    if (module.websocket !== undefined) this.#folder = tempFolder("inline")
    this.#host = new AppHost({ module, log: this.#link.log, socketPath: join(this.#folder ?? "", "ws.sock") })
    await this.#host.start()
    if (this.#host.ws !== undefined) this.#road = new SocketRoad(this.#host.ws, { timeoutMs: this.#app.timeoutMs })
  }

  handle(x: Exchange): Awaitable<Reply> {
    if (this.#host === undefined) throw new HttpError(503, `app ${this.#app.name} is not running`)
    if (this.#road !== undefined && wantsWebSocket(x)) return this.#road.send(x)
    const reply = this.#host.handle(x)
    return reply instanceof Promise && this.#timeouts !== undefined ? this.#timeouts.within(reply, x.body) : reply
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#timeouts?.stop()
    await this.#host?.stop(deadline)
    this.#road?.close()
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
  }
}
