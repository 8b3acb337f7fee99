/** Layer 2: an app, its workers, and the gateway that keeps them. */
import type { Awaitable, Handler } from "../http/middleware/chain.ts"
import type { Logger } from "../log/logger.ts"
import type { AppModule } from "./framework.ts"
import type { Live } from "./plugin.ts"
import type { Launch, Transport } from "./runtime.ts"

/** One `[app.x]` as checked; plain data that crosses processes. */
export interface AppSpec {
  readonly name: string
  /** Absolute. */
  readonly dir: string
  readonly runtime: string
  readonly gateway: string
  readonly framework: string
  /** File of the plugin when the framework is a third party's. */
  readonly frameworkFile?: string
  readonly env: Readonly<Record<string, string>>
  /** Requests at once per worker. */
  readonly concurrency: number
  /** Until the head of the answer; 0 for none. */
  readonly timeoutMs: number
  readonly user?: string
  readonly group?: string
  readonly limits?: AppLimits
  readonly attendants?: AppAttendants
  /** Absolute path of the file for what the workers print. */
  readonly log?: string
  /** The parts' own options, as checked by their schemas. */
  readonly options: {
    readonly runtime: Readonly<Record<string, unknown>>
    readonly gateway: Readonly<Record<string, unknown>>
    readonly framework: Readonly<Record<string, unknown>>
  }
}

/** One worker as fronts and hooks see it. */
export interface WorkerInfo {
  readonly app: string
  /** Slot number in the pool, 0 to max - 1; a replacement has another one than the worker it replaces. */
  readonly index: number
  /** Counts up with every start; a worker is (index, serial). */
  readonly serial: number
  readonly pid: number
  readonly transport: Transport
  /** Where fronts connect: path of a unix socket, or host:port. */
  readonly address: string
}

export interface WorkerStatus extends WorkerInfo {
  readonly state: "starting" | "ready" | "draining" | "stopping"
  readonly startedAt: number
  readonly requests: number
  readonly active: number
  /** Resident bytes. */
  readonly memory: number
}

/** Layer 2, in two halves. Without `supervise` the app has no processes of its own. */
export interface Gateway {
  /** In the supervisor (first party) or in a child of it, as `user` (third party). Resolves when the app can serve. */
  supervise?(app: AppSpec, launch: Launch, host: WorkerHost): Awaitable<Supervision>
  /** It runs the app inside the fronts, so only runtimes with `inline` will do. */
  readonly inline?: boolean
  /** In each front. */
  connect(app: AppSpec, link: AppLink): Awaitable<Live<Handler>>
}

/** What the supervisor does for a gateway's supervising half. */
export interface WorkerHost {
  readonly log: Logger
  /**
   * Starts a process and resolves once it can be spoken to (frames: it said HELLO; bind: something accepts).
   * Rejects with its last lines of output when it exits or is silent past `bootMs` (default 30 s), and when `signal`
   * aborts; the process is gone by then.
   */
  spawn(index: number, options?: { bootMs?: number; launch?: Launch; signal?: AbortSignal }): Promise<WorkerProcess>
  /** Tells every front, now and later ones, which workers there are. */
  publish(workers: readonly WorkerInfo[]): void
  /** The page that fronts and supervisor share for this app (slots.ts); made for `max` workers. */
  page(max: number): Promise<SharedPage>
  /** A front says something about a worker ("stuck" past its deadline, "lost" connection). */
  onReport(f: (report: WorkerReport) => void): void
  /** Front number `front` is gone (it left or died): what it held of the workers can be cleaned up. */
  onFrontGone?(f: (front: number) => void): void
}

export interface WorkerProcess extends WorkerInfo {
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  kill(signal: NodeJS.Signals): void
  /** Resident bytes now. */
  memory(): number
  /** Asks the worker for the stack of its threads; "" when it cannot say. */
  stack(timeoutMs?: number): Promise<string>
  /** Exchanges that the worker has now, as it says itself; rejects when it does not answer in time. Frames only. */
  ping?(timeoutMs: number): Promise<number>
  /** Asks it to finish what it has and exit: DRAIN for frames, else SIGTERM. */
  drain?(): void
}

export interface WorkerReport {
  readonly kind: "stuck" | "lost"
  readonly index: number
  readonly serial: number
  readonly detail: string
}

/** What an app has done since its gateway was started, workers that are gone included. */
export interface WorkerTotals {
  readonly requests: number
  readonly starts: number
}

export interface Supervision {
  /** Workers that should run from now on. */
  scale(workers: number): void
  /** Replaces every worker, one at a time; rejects and keeps the old ones when the new code cannot boot. */
  roll(launch: Launch): Promise<void>
  status(): readonly WorkerStatus[]
  totals?(): WorkerTotals
  stop(deadline: AbortSignal): Promise<void>
}

/** What a front gives to a gateway's connecting half. */
export interface AppLink {
  readonly log: Logger
  /** Number of this front, unique among living fronts, 0 to 63. */
  readonly front: number
  /** Called now and at every change. */
  workers(f: (workers: readonly WorkerInfo[]) => void): void
  /** The app's shared page; undefined when the gateway made none. */
  page(): SharedPage | undefined
  report(report: WorkerReport): void
  /** For `edge workers`: says what the workers do for this front now. */
  requests?(f: () => readonly RequestNow[]): void
  /** The app itself, for gateways that run it inside the front: its fetch handler as the framework made it. */
  load(): Promise<AppModule>
}

/** A request that a worker has now. */
export interface RequestNow {
  readonly index: number
  readonly serial: number
  readonly method: string
  /** Without the query, where secrets may stand. */
  readonly path: string
  /** Since its head was complete. */
  readonly ms: number
}

/** Words shared by all processes of one edge, by Atomics. */
export interface SharedPage {
  readonly words: Int32Array
}

/** Plain data that crosses processes. */
export interface AppLimits {
  readonly nice?: number | undefined
  /** Bytes, seconds (cpu) or numbers. */
  readonly rlimits?: Readonly<Record<string, number | undefined>> | undefined
  readonly cgroup?: { readonly memory?: number | undefined; readonly cpu?: number | undefined; readonly pids?: number | undefined } | undefined
}

/** A program that always runs beside the workers. */
export interface Daemon {
  readonly command: readonly [string, ...string[]]
  readonly count: number
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly stop_timeout: number
}

/** A command that runs at times; `at` as in crontab. */
export interface CronJob {
  readonly at: string
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds. */
  readonly timeout: number
  readonly overlap: boolean
}

/** Programs beside an app's workers: plain data that crosses processes. */
export interface AppAttendants {
  readonly daemons: Readonly<Record<string, Daemon>>
  readonly cron: readonly CronJob[]
}
