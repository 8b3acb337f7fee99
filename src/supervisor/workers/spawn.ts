/** One worker: its socket, its process, and when it can be spoken to. */
import { lchownSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import type { Logger } from "../../log/logger.ts"
import { whyNotStarted } from "../../apps/program.ts"
import type { ExecHow } from "../../processes/exec.ts"
import type { AppSpec, WorkerProcess } from "../../contract/gateway.ts"
import type { Launch } from "../../contract/runtime.ts"
import type { AppLog } from "../log/app-log.ts"
import type { Guard } from "../reaper.ts"
import { type Identity, isRoot } from "../../system/identity.ts"
import { close } from "../../system/libc.ts"
import { meetRemote } from "./remote-worker.ts"
import { residentBytes } from "../../system/memory.ts"
import { Output, printTo, WorkerFailed } from "../log/output.ts"
import { cleanEnv, selfArgv } from "../../system/self.ts"
import { answers, listenUnix } from "../sockets/listening-socket.ts"
import { unlinkQuietly } from "../run-folder.ts"
import { WorkerControl } from "./worker-control.ts"

const BOOT_MS = 30_000
/** A program that listens by itself is tried this often. */
const POLL_MS = 20

export interface WorkerOptions {
  readonly app: AppSpec
  readonly launch: Launch
  readonly index: number
  readonly serial: number
  /** Private folder of the pool: `{run}`. */
  readonly run: string
  /** As whom; undefined for ourselves. */
  readonly identity?: Identity | undefined
  /** Who connects to the socket, when that is somebody else than the worker. */
  readonly fronts?: Identity | undefined
  readonly guard: Guard
  readonly log: Logger
  /** The app's own file for what it prints. */
  readonly file?: AppLog | undefined
  /** Folder of the cgroup to join. */
  readonly cgroup?: string | undefined
  readonly bootMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Starts it and resolves once it can be spoken to; rejects with its last lines of output. */
export async function startWorker(options: WorkerOptions): Promise<WorkerProcess> {
  const { address } = options.launch
  if (address !== undefined) return meetRemote(address, { ...options, accepts, bootMs: options.bootMs ?? BOOT_MS })
  const worker = await Worker.spawn(options)
  const { promise: cut, reject } = Promise.withResolvers<never>()
  const bootMs = options.bootMs ?? BOOT_MS
  const timer = setTimeout(() => reject(new Error(`it was not ready within ${bootMs / 1000} s`)), bootMs)
  const abort = (): void => reject(new Error("it was told to go"))
  options.signal?.addEventListener("abort", abort, { once: true })
  if (options.signal?.aborted === true) abort()
  try {
    await Promise.race([worker.ready(), cut, worker.died()])
    return worker
  } catch (error) {
    worker.kill("SIGKILL")
    await worker.exited
    throw WorkerFailed.of(`worker ${options.index} of app ${options.app.name} cannot start: ${(error as Error).message}`, worker.output.tail)
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener("abort", abort)
  }
}

export type Child = Bun.Subprocess<"ignore", "pipe", "pipe">

class Worker implements WorkerProcess {
  readonly app: string
  readonly index: number
  readonly serial: number
  readonly pid: number
  readonly transport: Launch["transport"]
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  readonly output: Output
  /** Where it is spoken to: of the places it may listen on, the one that answered first. */
  address: string
  /** Frames workers only: others have no such question. */
  readonly ping?: (timeoutMs: number) => Promise<number>
  readonly #options: WorkerOptions
  #control: WorkerControl | undefined
  #gone = false

  private constructor(
    options: WorkerOptions,
    /** A program may be told of a socket and of a port, and choose. */
    readonly places: readonly [string, ...string[]],
    child: Child,
  ) {
    const { app, launch, index, serial } = options
    this.#options = options
    this.address = places[0]
    this.app = app.name
    this.index = index
    this.serial = serial
    this.pid = child.pid
    this.transport = launch.transport
    if (launch.transport === "frames") this.ping = timeoutMs => this.#ping(timeoutMs)
    const printer = { index, pid: child.pid, fields: { worker: index, pid: child.pid } }
    this.output = new Output(printTo(options, () => printer))
    const drained = Promise.all([this.output.read(child.stdout), this.output.read(child.stderr)])
    this.exited = child.exited.then(async () => {
      this.#end()
      // A grandchild may hold the pipes although its group was killed (it made a group of its own).
      await Promise.race([drained, Bun.sleep(500)])
      return { code: child.exitCode, signal: child.signalCode as string | null }
    })
  }

  static async spawn(options: WorkerOptions): Promise<Worker> {
    const port = mayUsePort(options.launch) ? await freePort() : 0
    const { child, places } = spawnChild(options, port)
    return new Worker(options, places, child)
  }

  /** Frames: it said HELLO. Others: something accepts. */
  async ready(): Promise<void> {
    if (this.transport === "frames") {
      const { control, hello } = await WorkerControl.connect(this.address)
      this.#control = control
      await hello.catch(async (error: unknown) => {
        // Its exit explains more than the closed connection, and comes a moment later.
        await Promise.race([this.exited, Bun.sleep(1000)])
        throw error
      })
      return
    }
    let found: string | undefined
    while (!this.#gone && found === undefined) {
      for (const place of this.places) if (found === undefined && (await accepts(place))) found = place
      if (found === undefined) await Bun.sleep(POLL_MS)
    }
    this.address = found ?? this.address
    if (this.address.startsWith("/")) this.#openToFronts()
  }

  /** Rejects when the process ends. */
  async died(): Promise<never> {
    const { code, signal } = await this.exited
    throw new Error(signal === null ? `it ended with exit code ${code}` : `it was killed by ${signal}`)
  }

  /** A program made the socket under its own umask, often 755: fronts of another user need it to be theirs.
   * The folder is the worker's: a link that it put there is not followed. */
  #openToFronts(): void {
    const { fronts, identity } = this.#options
    if (fronts === undefined || fronts.uid === identity?.uid || !isRoot()) return
    lchownSync(this.address, fronts.uid, fronts.gid)
  }

  /** SIGKILL goes to everything it started, others to the process: what they mean is the program's business. */
  kill(signal: NodeJS.Signals): void {
    if (this.#gone) return
    try {
      process.kill(signal === "SIGKILL" || this.transport !== "frames" ? -this.pid : this.pid, signal)
    } catch {
      // Ended meanwhile.
    }
  }

  drain(): void {
    if (this.#control === undefined) this.kill("SIGTERM")
    else this.#control.drain()
  }

  #ping(timeoutMs: number): Promise<number> {
    return this.#control?.ping(timeoutMs) ?? Promise.reject(new Error("this worker has not said HELLO yet"))
  }

  async stack(timeoutMs = 2000): Promise<string> {
    return (await this.#control?.stack(timeoutMs)) ?? ""
  }

  memory(): number {
    return residentBytes(this.pid)
  }

  #end(): void {
    this.#gone = true
    try {
      process.kill(-this.pid, "SIGKILL")
    } catch {
      // Nothing was left of its group.
    }
    this.#options.guard.forget(this.pid)
    this.#control?.close()
    for (const place of this.places) if (place.startsWith("/")) unlinkQuietly(place)
  }
}

/** Groups beside the main one, which Bun.spawn cannot give. */
function hasGroups(identity: Identity): boolean {
  return process.platform === "linux" && identity.groups.length > 1
}

/** Starts the process and nothing more; `places` are where it may listen. */
export function spawnChild(options: WorkerOptions, port = 0): { readonly child: Child; readonly places: [string, ...string[]] } {
  const { app, launch, index, serial, run, identity } = options
  const path = join(run, `${index}-${serial}.sock`)
  const names: Record<string, string> = { run, socket: path, port: String(port), index: String(index), app: app.name }
  const fill = (text: string): string => text.replaceAll(/\{(run|socket|port|index|app)\}/g, (_, name: string) => names[name]!)
  const listening = launch.socket === "inherit" ? listenUnix(path, 0o600) : undefined
  try {
    if (listening !== undefined && options.fronts !== undefined && isRoot()) lchownSync(path, options.fronts.uid, options.fronts.gid)
    const env = { ...cleanEnv(), ...homeOf(identity) }
    for (const [name, value] of Object.entries(launch.env)) env[name] = fill(value)
    const detour = detourOf(options, { socket: listening !== undefined })
    const argv = launch.argv.map(fill)
    const child = Bun.spawn(detour === undefined ? argv : [...selfArgv("__exec"), JSON.stringify(detour), ...argv], {
      cwd: fill(launch.cwd),
      env,
      stdio: ["ignore", "pipe", "pipe", ...(listening === undefined ? [] : [listening])],
      // A group of its own, so that what it starts can be ended with it.
      detached: true,
      ...(detour === undefined && identity !== undefined && isRoot() && { uid: identity.uid, gid: identity.gid }),
    } as never) as unknown as Child
    options.guard.watch(child.pid)
    return { child, places: [...(wantsSocket(launch) ? [path] : []), ...(port > 0 ? [`127.0.0.1:${port}`] : [])] as [string] }
  } catch (error) {
    unlinkQuietly(path)
    const start = { dir: fill(launch.cwd), env: launch.env }
    throw new Error(`app ${app.name}: ${whyNotStarted(launch.argv[0] ?? "", start, error)}`, { cause: error })
  } finally {
    if (listening !== undefined) close(listening)
  }
}

function wantsSocket(launch: Launch): boolean {
  return launch.socket === "inherit" || mentions(launch, "{socket}")
}

function mayUsePort(launch: Launch): boolean {
  return !wantsSocket(launch) || mentions(launch, "{port}")
}

/** What Bun.spawn cannot do of what is asked for; undefined when there is nothing. */
function detourOf({ app, identity, cgroup }: WorkerOptions, { socket }: { socket: boolean }): ExecHow | undefined {
  const who = identity !== undefined && isRoot() ? identity : undefined
  const { nice, rlimits } = app.limits ?? {}
  if (!(who !== undefined && hasGroups(who)) && nice === undefined && rlimits === undefined && cgroup === undefined) return undefined
  return { identity: who, socket, nice, rlimits, cgroup }
}

function mentions(launch: Launch, placeholder: string): boolean {
  return [...launch.argv, ...Object.values(launch.env), launch.cwd].some(text => text.includes(placeholder))
}

/** What a login would set, as programs look for their files there. */
function homeOf(identity: Identity | undefined): Record<string, string> {
  return identity === undefined ? {} : { HOME: identity.home, USER: identity.user, LOGNAME: identity.user }
}

/** The kernel gives out ports in turn, so the one just closed is not given to somebody else at once. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

async function accepts(address: string): Promise<boolean> {
  if (address.startsWith("/")) return answers(address)
  const [hostname, port] = address.split(":") as [string, string]
  try {
    const connection = await Bun.connect({ hostname, port: Number(port), socket: { data() {}, error() {} } })
    // Not a reset: a program that waits for a request would tell of an error.
    connection.end()
    return true
  } catch {
    return false
  }
}
