/** `edge __gateway`: runs the supervising half of a third party's gateway, away from the supervisor and its rights. */
import { Config } from "../config/config.ts"
import { setUp } from "../generation/generation.ts"
import { createLogger, type Logger } from "../log/logger.ts"
import type { SharedPage, Supervision, WorkerHost, WorkerInfo, WorkerProcess, WorkerReport } from "../contract/gateway.ts"
import { keepPrivateFiles, readPrivateFiles } from "./private-files.ts"
import { openPage } from "../slots/page.ts"
import type { GatewayStart, SpawnAnswer } from "../supervisor/workers/external-supervision.ts"
import { become, findIdentity, isRoot } from "../system/identity.ts"
import { residentBytes } from "../system/memory.ts"
import { Rpc } from "../system/rpc.ts"

/** How often the supervisor hears what `edge status` shows. */
const STATUS_MS = 500

/** Ends when the supervisor ends it, or is gone. */
export function run(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const child = new GatewayChild()
  process.on("message", message => child.rpc.receive(message as never))
  process.on("disconnect", () => resolve(0))
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {})
  return promise
}

type Exit = { code: number | null; signal: string | null }

class GatewayChild {
  readonly rpc: Rpc
  readonly #exits = new Map<number, (exit: Exit) => void>()
  #supervision: Supervision | undefined
  #heard: (report: WorkerReport) => void = () => {}
  #frontGone: (front: number) => void = () => {}
  #spawns = 0

  constructor() {
    this.rpc = new Rpc(message => void (process.connected && process.send!(message)), {
      start: (start: GatewayStart) => this.#start(start),
      scale: (workers: number) => this.#supervision?.scale(workers),
      roll: (launch: never) => this.#supervision!.roll(launch),
      // The supervisor ends this process, and with it the workers, when that takes too long.
      stop: () => this.#supervision?.stop(new AbortController().signal),
      exited: (serial: number, exit: Exit) => this.#exits.get(serial)?.(exit),
      report: (report: WorkerReport) => this.#heard(report),
      frontGone: (front: number) => this.#frontGone(front),
    })
  }

  async #start({ app, config: json, launch }: GatewayStart): Promise<void> {
    const config = Config.fromJSON(json)
    const { server, log: settings } = config.readKernel().kernel
    if (server.user !== undefined && isRoot()) {
      keepPrivateFiles(readPrivateFiles(config))
      become(findIdentity(server.user, server.group))
    }
    const log = createLogger(settings).with({ app })
    const generation = await setUp(config, { log, dev: false })
    const { gateway, spec } = generation.apps.find(one => one.spec.name === app)!
    if (gateway.supervise === undefined) throw new Error(`the gateway ${spec.gateway} has no supervise`)
    this.#supervision = await gateway.supervise(spec, launch, this.#host(log))
    setInterval(() => this.rpc.tell("status", this.#supervision!.status()), STATUS_MS)
    this.rpc.tell("status", this.#supervision.status())
  }

  #host(log: Logger): WorkerHost {
    return {
      log,
      spawn: (index, options) => this.#spawn(index, options),
      publish: workers => this.rpc.tell("publish", workers.map(toInfo)),
      page: async (max): Promise<SharedPage> => openPage(await this.rpc.call<string>("page", max)),
      onReport: f => void (this.#heard = f),
      onFrontGone: f => void (this.#frontGone = f),
    }
  }

  async #spawn(index: number, { signal, ...options }: Parameters<WorkerHost["spawn"]>[1] = {}): Promise<WorkerProcess> {
    const spawn = ++this.#spawns
    signal?.addEventListener("abort", () => this.rpc.tell("abort", spawn), { once: true })
    if (signal?.aborted === true) throw new Error("it was told to go")
    const { pings, ...info } = await this.rpc.call<SpawnAnswer>("spawn", spawn, index, options)
    const { serial, pid } = info
    const exited = new Promise<Exit>(resolve => this.#exits.set(serial, resolve))
    void exited.then(() => this.#exits.delete(serial))
    return {
      ...info,
      exited,
      kill: how => this.rpc.tell("kill", serial, how),
      drain: () => this.rpc.tell("drain", serial),
      stack: timeoutMs => this.rpc.call("stack", serial, timeoutMs),
      memory: () => residentBytes(pid),
      ...(pings && { ping: (timeoutMs: number) => this.rpc.call<number>("ping", serial, timeoutMs) }),
    }
  }
}

/** Objects of a third party may carry more than crosses. */
function toInfo({ app, index, serial, pid, transport, address }: WorkerInfo): WorkerInfo {
  return { app, index, serial, pid, transport, address }
}
