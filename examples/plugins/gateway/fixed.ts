import { type AppLink, type AppSpec, definePlugin, FrameClient, type Handler, HttpError, HttpUpstream, type Launch, parseTarget } from "edge"
import type { Live, Supervision, WorkerHost, WorkerInfo, WorkerProcess, WorkerStatus } from "edge"
import * as v from "valibot"

/**
 * A whole layer 2 in one file: a fixed number of workers, taken in turn. `supervise` runs in a process of its own
 * beside the supervisor, `connect` in every front.
 */
export default definePlugin({
  name: "fixed",
  kind: "gateway",
  config: v.strictObject({ size: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64)), 2) }),
  setup: ({ size }) => ({
    part: {
      supervise: async (app, launch, host) => {
        const workers = new Workers(app, launch, host)
        await workers.scale(size)
        return workers
      },
      connect: (app, link) => takeTurns(app, link),
    },
  }),
})

class Workers implements Supervision {
  readonly #running = new Map<number, { worker: WorkerProcess; since: number }>()
  #next = 0
  #stopping = false

  constructor(
    private readonly app: AppSpec,
    private launch: Launch,
    private readonly host: WorkerHost,
  ) {}

  async scale(count: number): Promise<void> {
    while (this.#running.size < count) await this.#start()
    for (const index of [...this.#running.keys()].slice(count)) this.#end(index)
  }

  async roll(launch: Launch): Promise<void> {
    this.launch = launch
    for (const index of [...this.#running.keys()]) {
      await this.#start() // rejects when the new code cannot boot: the old worker stays
      this.#end(index)
    }
  }

  status(): WorkerStatus[] {
    return [...this.#running.values()].map(({ worker, since }) => ({
      ...infoOf(worker),
      state: "ready",
      startedAt: since,
      requests: 0,
      active: 0,
      memory: worker.memory(),
    }))
  }

  async stop(): Promise<void> {
    this.#stopping = true
    const all = [...this.#running.values()]
    for (const { worker } of all) worker.kill("SIGTERM")
    await Promise.all(all.map(({ worker }) => worker.exited))
  }

  async #start(): Promise<void> {
    const index = this.#next++
    const worker = await this.host.spawn(index, { launch: this.launch })
    this.#running.set(index, { worker, since: Date.now() })
    this.#publish()
    void worker.exited.then(async () => {
      const wanted = this.#running.delete(index)
      this.#publish()
      if (!wanted || this.#stopping) return
      this.host.log.warn("a worker ended; starting another", { app: this.app.name, pid: worker.pid })
      await this.#start().catch(error => this.host.log.error("it does not start", { error }))
    })
  }

  #end(index: number): void {
    const ended = this.#running.get(index)
    this.#running.delete(index)
    this.#publish()
    // Fronts send nothing new; SIGTERM lets a worker finish what it has.
    ended?.worker.kill("SIGTERM")
  }

  #publish(): void {
    this.host.publish([...this.#running.values()].map(({ worker }) => infoOf(worker)))
  }
}

function infoOf({ app, index, serial, pid, transport, address }: WorkerProcess): WorkerInfo {
  return { app, index, serial, pid, transport, address }
}

/** A connection to each worker, taken in turn. */
function takeTurns(app: AppSpec, link: AppLink): Live<Handler> {
  const lines = new Map<string, Promise<Line>>()
  let ready: Line[] = []
  let turn = 0
  const follow = async (workers: readonly WorkerInfo[]) => {
    for (const worker of workers) {
      const name = `${worker.index}.${worker.serial}`
      if (!lines.has(name)) lines.set(name, open(worker, app))
    }
    const names = new Set(workers.map(worker => `${worker.index}.${worker.serial}`))
    for (const [name, line] of lines) {
      if (names.has(name)) continue
      lines.delete(name)
      void line.then(gone => gone.close(), () => {})
    }
    const settled = await Promise.allSettled(lines.values())
    ready = settled.flatMap(result => (result.status === "fulfilled" ? [result.value] : []))
  }
  return {
    start: () => link.workers(workers => void follow(workers)),
    stop: () => {
      for (const line of ready) line.close()
    },
    part: x => {
      const line = ready[turn++ % ready.length]
      if (line === undefined) throw new HttpError(503, `${app.name} has no worker`)
      return line.send(x)
    },
  }
}

interface Line {
  send: Handler
  close(): void
}

async function open(worker: WorkerInfo, app: AppSpec): Promise<Line> {
  if (worker.transport === "frames") {
    const client = await FrameClient.connect({ path: worker.address, name: app.name, timeoutMs: app.timeoutMs })
    return { send: x => client.send(x), close: () => client.retire() }
  }
  const unix = worker.address.startsWith("/")
  const upstream = new HttpUpstream({ target: parseTarget(unix ? `unix:${worker.address}` : `http://${worker.address}`) })
  return { send: x => upstream.send(x), close: () => upstream.close() }
}
