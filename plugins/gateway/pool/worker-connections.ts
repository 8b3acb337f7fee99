import type { AppLink, AppSpec, Exchange, Handler, Live, Reply, RequestNow, WorkerInfo } from "edge"
import { SlotClaims } from "edge"
import { Buffers } from "./buffers.ts"
import { Dispatcher } from "./dispatch.ts"
import type { WorkerConnection, ConnectionOptions } from "./worker-connection.ts"
import { openConnection } from "./worker-connection.ts"
import type { PoolOptions } from "./options.ts"

/** A worker that could not be connected to is tried again after this while it is still said to run. */
const againMs = 100
/** Of a worker that has thousands, so many are shown. */
const mostShown = 100
/** How long the start of a front waits for its first connections. */
const firstMs = 5000

/** The front's half: one connection per worker, requests to free workers. */
export function connect(app: AppSpec, link: AppLink): Live<Handler> {
  let connections: WorkerConnections | undefined
  return {
    part: x => connections!.handle(x),
    start: async () => {
      const page = link.page()
      if (page === undefined) throw new Error(`app ${app.name} has no shared page`)
      connections = new WorkerConnections(app, link, new SlotClaims(page, link.front))
      await connections.start()
    },
    stop: () => connections?.stop(),
  }
}

/** Keeps one connection to every worker there is. */
class WorkerConnections {
  readonly dispatcher: Dispatcher
  readonly #buffers: Buffers
  readonly #app: AppSpec
  readonly #link: AppLink
  readonly #claims: SlotClaims
  /** Serials of the workers there are. */
  #serials: ReadonlySet<number> = new Set()
  /** Serials that are connected or being connected to. */
  readonly #known = new Set<number>()
  readonly #opening = new Set<Promise<void>>()
  #stopped = false

  constructor(app: AppSpec, link: AppLink, claims: SlotClaims) {
    this.#app = app
    this.#link = link
    this.#claims = claims
    this.#buffers = new Buffers({ app, claims, log: link.log, indexes: () => this.dispatcher.connections.map(connection => connection.index) })
    const options = (app.options.gateway as PoolOptions).queue
    this.dispatcher = new Dispatcher(claims, { options, log: link.log, answered: this.#buffers.answer })
  }

  /** A body that is still on its way is received before the request takes a slot, or a place in the queue. */
  handle(x: Exchange): Promise<Reply> {
    return this.#buffers.keeps(x) ? this.#buffers.receive(x).then(this.dispatcher.handle) : this.dispatcher.handle(x)
  }

  async start(): Promise<void> {
    this.#link.workers(workers => this.#changed(workers))
    this.#link.requests?.(() => this.#requests())
    await Promise.race([Promise.all(this.#opening), Bun.sleep(firstMs)])
  }

  stop(): void {
    this.#stopped = true
    this.dispatcher.stop()
    for (const connection of this.dispatcher.connections) {
      this.dispatcher.remove(connection)
      connection.retire()
    }
    this.#claims.leave()
  }

  #requests(): RequestNow[] {
    const nowMs = performance.now()
    return this.dispatcher.connections.flatMap(({ index, serial, exchanges }) =>
      exchanges.slice(0, mostShown).map(({ method, path, startMs }) => ({ index, serial, method, path, ms: Math.round(nowMs - startMs) })),
    )
  }

  #changed(workers: readonly WorkerInfo[]): void {
    if (this.#stopped) return
    this.#serials = new Set(workers.map(w => w.serial))
    for (const connection of this.dispatcher.connections) {
      if (this.#serials.has(connection.serial)) continue
      this.dispatcher.remove(connection)
      this.#known.delete(connection.serial)
      connection.retire()
    }
    for (const worker of workers) this.#open(worker)
  }

  #open(worker: WorkerInfo): void {
    if (this.#known.has(worker.serial)) return
    this.#known.add(worker.serial)
    const opening = this.#connect(worker).finally(() => this.#opening.delete(opening))
    this.#opening.add(opening)
  }

  async #connect(worker: WorkerInfo): Promise<void> {
    try {
      const connection = await openConnection(this.#options(worker))
      if (this.#stopped || !this.#serials.has(worker.serial)) {
        this.#known.delete(worker.serial)
        connection.close()
      } else this.dispatcher.add(connection)
    } catch (error) {
      this.#link.log.warn("worker cannot be reached", { worker: worker.index, error: String(error) })
      this.#again(worker)
    }
  }

  #again(worker: WorkerInfo): void {
    setTimeout(() => {
      this.#known.delete(worker.serial)
      if (!this.#stopped && this.#serials.has(worker.serial)) this.#open(worker)
    }, againMs)
  }

  #options(worker: WorkerInfo): ConnectionOptions {
    const { index, serial } = worker
    return {
      app: this.#app,
      worker,
      front: this.#link.front,
      log: this.#link.log,
      lost: (connection: WorkerConnection, error: Error) => {
        this.dispatcher.remove(connection)
        this.#link.report({ kind: "lost", index, serial, detail: error.message })
        this.#again(worker)
      },
      stuck: (_line, x) => {
        // The path without the query: what stands there may be secret.
        this.#link.report({ kind: "stuck", index, serial, detail: `${x.method} ${x.path} is past ${this.#app.timeoutMs} ms` })
        // Nothing new until the supervisor has asked it. A program that cannot be asked has the benefit of the doubt.
        if (worker.transport === "frames") this.#claims.hold(index, serial)
      },
    }
  }
}
