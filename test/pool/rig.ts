/** A pool as the supervisor runs it, with real workers, and the sending halves of any number of fronts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as v from "valibot"
import { poolOptions } from "../../plugins/gateway/pool/options.ts"
import pool from "../../plugins/gateway/pool/plugin.ts"
import type { AppLink, AppSpec, SharedPage, WorkerInfo } from "../../src/contract/gateway.ts"
import type { Handler } from "../../src/http/middleware/chain.ts"
import type { Launch } from "../../src/contract/runtime.ts"
import type { Live } from "../../src/contract/plugin.ts"
import { openPage } from "../../src/slots/page.ts"
import { Guard } from "../../src/supervisor/reaper.ts"
import type { AppState } from "../../src/supervisor/fronts/messages.ts"
import { Cgroups } from "../../src/supervisor/workers/cgroup.ts"
import { Pool } from "../../src/supervisor/workers/pool.ts"
import { RunFolder } from "../../src/supervisor/run-folder.ts"
import { ask, type ExchangeOptions, type Seen } from "../kit/exchange.ts"
import { type LogLine, logTo } from "../kit/context.ts"

export interface RigOptions {
  gateway?: v.InferInput<typeof poolOptions>
  concurrency?: number
  timeoutMs?: number
  blocking?: boolean
  fronts?: number
  /** How its workers are started, instead of worker.ts. */
  launch?(app: AppSpec): Launch
}

export interface TestFront {
  readonly handler: Handler
  get(path: string, options?: ExchangeOptions): Promise<Seen>
  /** The status, also of what was thrown. */
  status(path: string, options?: ExchangeOptions): Promise<number>
  stop(): void
}

export class Rig {
  readonly lines: LogLine[] = []
  readonly fronts: TestFront[] = []
  readonly pool: Pool
  readonly spec: AppSpec
  readonly #folder = mkdtempSync(join(tmpdir(), "edge-pool-"))
  readonly #run = new RunFolder(() => {})
  readonly #guard = new Guard()
  readonly #heard = new Set<(workers: readonly WorkerInfo[]) => void>()
  readonly #live: Live<Handler>[] = []
  readonly #launch: Launch

  constructor(options: RigOptions = {}) {
    this.setVersion("1")
    this.spec = {
      name: "test",
      dir: this.#folder,
      runtime: "fetch",
      gateway: "pool",
      framework: "",
      env: {},
      concurrency: options.concurrency ?? 1,
      timeoutMs: options.timeoutMs ?? 30_000,
      options: { runtime: {}, gateway: v.parse(poolOptions, options.gateway ?? {}), framework: {} },
    }
    this.#launch = options.launch?.(this.spec) ?? {
      argv: [process.execPath, join(import.meta.dir, "worker.ts"), join(this.#folder, "version"), ...(options.blocking === true ? ["serial"] : [])],
      cwd: this.#folder,
      env: {},
      transport: "frames",
      socket: "inherit",
      blocking: options.blocking ?? false,
    }
    this.pool = new Pool({
      app: { spec: this.spec, launch: this.#launch, gatewayName: "pool", external: false },
      folder: this.#run,
      guard: this.#guard,
      log: logTo(this.lines),
      fronts: undefined,
      config: undefined as never,
      onWorker: { ready() {}, exit() {} },
      cgroups: new Cgroups(),
      onChange: () => {
        for (const f of this.#heard) f(this.pool.state.workers)
      },
    })
  }

  get state(): AppState {
    return this.pool.state
  }

  /** What workers that start from now on are. */
  setVersion(version: string): void {
    writeFileSync(join(this.#folder, "version"), version)
  }

  async start(fronts = 1): Promise<this> {
    await this.pool.start()
    for (let n = 0; n < fronts; n++) await this.addFront(n)
    return this
  }

  async addFront(front: number): Promise<TestFront> {
    const page: SharedPage = openPage(this.pool.state.page!)
    const gateway = (await pool.setup(this.spec.options.gateway as never, undefined as never)).part
    const link: AppLink = {
      log: logTo(this.lines),
      front,
      workers: f => {
        this.#heard.add(f)
        f(this.pool.state.workers)
      },
      page: () => page,
      report: report => this.pool.report(report),
      load: () => Promise.reject(new Error("no app in this front")),
    }
    const live = (await gateway.connect(this.spec, link)) as Live<Handler>
    await live.start?.()
    this.#live.push(live)
    const one: TestFront = {
      handler: live.part,
      get: (path, options) => ask(live.part, path, options),
      status: (path, options) => ask(live.part, path, options).then(seen => seen.status, (error: { status?: number }) => error.status ?? 0),
      stop: () => void live.stop?.(AbortSignal.timeout(1000)),
    }
    this.fronts.push(one)
    return one
  }

  roll(): Promise<void> {
    return this.pool.roll({ spec: this.spec, launch: { ...this.#launch }, gatewayName: "pool", external: false })
  }

  readonly pids = (): number[] => this.pool.status().filter(w => w.state === "ready").map(w => w.pid)

  said(text: string): LogLine | undefined {
    return this.lines.find(line => line.message.includes(text))
  }

  async stop(): Promise<void> {
    for (const live of this.#live) await live.stop?.(AbortSignal.timeout(1000))
    await this.pool.stop(AbortSignal.timeout(5000))
    this.#guard.close()
    this.#run.remove()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Waits until it is so; fails after 10 s. */
export async function until(what: () => boolean | Promise<boolean>, why: string): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`it never came that ${why}`)
    await Bun.sleep(5)
  }
}
