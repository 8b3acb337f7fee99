/**
 * Workers that are forked from a warm parent (docs/worker-protocol.md, "Forking"): the parent imports the app once, and what
 * the import made is shared. The parent's children are not ours: it tells us of their ends, and if it dies we watch them.
 */
import { lchownSync } from "node:fs"
import { join } from "node:path"
import type { Socket } from "bun"
import type { WorkerProcess } from "../../../contract/gateway.ts"
import { isRoot } from "../../../system/identity.ts"
import { residentBytes } from "../../../system/memory.ts"
import { Output, printTo, WorkerFailed } from "../../log/output.ts"
import { unlinkQuietly } from "../../run-folder.ts"
import { WorkerControl } from "../worker-control.ts"
import { type Child, spawnChild, type WorkerOptions } from "../spawn.ts"

/** What the parent says, one JSON a line. */
type Said =
  | { readonly ready: number }
  | { readonly forked: number; readonly pid: number }
  | { readonly failed: number; readonly error: string }
  | { readonly exited: number; readonly code: number | null; readonly signal: string | null }

type End = { readonly code: number | null; readonly signal: string | null }

const BOOT_MS = 30_000
/** How often workers without a parent are looked at. */
const ORPHAN_MS = 200

export class Nursery {
  /** Rejects with what the parent printed when it cannot import the app. */
  readonly ready: Promise<void>
  readonly #options: WorkerOptions
  readonly #parent: Child
  readonly #path: string
  readonly #output: Output
  readonly #workers = new Map<number, ForkedWorker>()
  readonly #forks = new Map<number, { resolve(pid: number): void; reject(error: Error): void }>()
  readonly #outputs: { stop(closeAll: boolean): void }
  readonly #outputPath: string
  readonly #ready = Promise.withResolvers<void>()
  #connection: Socket | undefined
  #part = ""
  #latest = true
  #gone = false

  /** `onEnd`: no more workers can be had of it. */
  constructor(options: WorkerOptions, onEnd: () => void) {
    const { app, run, index, serial, identity } = options
    this.#options = options
    this.#outputPath = join(run, `${serial}.out`)
    this.#outputs = this.#takeOutputs()
    if (identity !== undefined && isRoot()) lchownSync(this.#outputPath, identity.uid, identity.gid)
    const launch = { ...options.launch, env: { ...options.launch.env, EDGE_FORK: this.#outputPath } }
    const { child, places } = spawnChild({ ...options, launch })
    this.#parent = child
    this.#path = places[0]
    const printer = { index, pid: child.pid, fields: { pid: child.pid } }
    this.#output = new Output(printTo(options, () => printer))
    const drained = Promise.all([this.#output.read(child.stdout), this.#output.read(child.stderr)])
    void child.exited.then(async () => {
      await Promise.race([drained, Bun.sleep(500)])
      this.#ended()
      onEnd()
    })
    this.ready = this.#boot(app.name)
  }

  async #boot(app: string): Promise<void> {
    const timer = setTimeout(() => this.#ready.reject(new Error("it was not ready in time")), this.#options.bootMs ?? BOOT_MS)
    try {
      await Bun.connect({
        unix: this.#path,
        socket: {
          open: socket => void (this.#connection = socket),
          data: (_, chunk) => this.#heard(chunk.toString()),
          close() {},
          error() {},
        },
      })
      await this.#ready.promise
    } catch (error) {
      await this.stop()
      throw WorkerFailed.of(`app ${app} cannot be preloaded: ${(error as Error).message}`, this.#output.tail)
    } finally {
      clearTimeout(timer)
      unlinkQuietly(this.#path)
    }
  }

  /** Resolves when the worker can be spoken to. */
  async fork(options: WorkerOptions): Promise<WorkerProcess> {
    await this.ready
    const { serial, index, run, app, launch } = options
    const socket = join(run, `${index}-${serial}.sock`)
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    this.#forks.set(serial, { resolve, reject })
    const fill = (text: string): string => text.replaceAll("{index}", String(index)).replaceAll("{socket}", socket)
    const env = Object.fromEntries(Object.entries(launch.env).map(([name, value]) => [name, fill(value)]))
    // Its first lines may come before we hear of its number.
    const worker = new ForkedWorker(options, socket)
    this.#workers.set(serial, worker)
    this.#connection!.write(`${JSON.stringify({ fork: serial, socket, env })}\n`)
    try {
      await worker.boot(await promise)
      return worker
    } catch (error) {
      worker.kill("SIGKILL")
      await worker.exited
      throw WorkerFailed.of(`worker ${index} of app ${app.name} cannot start: ${(error as Error).message}`, worker.output.tail)
    } finally {
      this.#forks.delete(serial)
    }
  }

  /** A newer one has the new code: this one ends with its last worker. */
  retire(): void {
    this.#latest = false
    if (this.#workers.size === 0) void this.stop()
  }

  /** The parent ends; its workers do not. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#connection?.end()
    try {
      process.kill(this.#parent.pid, "SIGKILL")
    } catch {
      // Ended meanwhile.
    }
    await this.#parent.exited
  }

  #heard(text: string): void {
    const lines = (this.#part + text).split("\n")
    this.#part = lines.pop()!
    for (const line of lines) this.#take(JSON.parse(line) as Said)
  }

  #take(said: Said): void {
    if ("ready" in said) this.#ready.resolve()
    else if ("forked" in said) {
      this.#workers.get(said.forked)!.pid = said.pid
      this.#forks.get(said.forked)?.resolve(said.pid)
    } else if ("failed" in said) {
      this.#forks.get(said.failed)?.reject(new Error(said.error))
      this.#left(said.failed, { code: null, signal: null })
    } else {
      const worker = [...this.#workers.values()].find(({ pid }) => pid === said.exited)
      if (worker !== undefined) this.#left(worker.serial, said)
    }
  }

  #left(serial: number, { code, signal }: End): void {
    this.#workers.get(serial)?.end({ code, signal })
    this.#workers.delete(serial)
    if (!this.#latest && this.#workers.size === 0) void this.stop()
  }

  #ended(): void {
    if (this.#gone) return
    this.#gone = true
    this.#outputs.stop(false)
    unlinkQuietly(this.#outputPath)
    const error = new Error("its warm parent ended")
    this.#ready.reject(error)
    this.#ready.promise.catch(() => {})
    for (const { reject } of this.#forks.values()) reject(error)
    for (const [serial, worker] of this.#workers) {
      if (worker.pid === 0) this.#left(serial, { code: null, signal: null })
      else void worker.watch()
    }
  }

  #takeOutputs(): { stop(closeAll: boolean): void } {
    return Bun.listen<{ worker?: ForkedWorker; decoder: TextDecoder; first: string }>({
      unix: this.#outputPath,
      socket: {
        open: socket => void (socket.data = { decoder: new TextDecoder(), first: "" }),
        data: ({ data }, chunk) => {
          const text = data.decoder.decode(chunk, { stream: true })
          if (data.worker !== undefined) return data.worker.output.push(text)
          // The first line says whose output it is.
          data.first += text
          const at = data.first.indexOf("\n")
          if (at < 0) return
          data.worker = this.#workers.get(Number(data.first.slice(0, at)))
          data.worker?.output.push(data.first.slice(at + 1))
        },
        close: ({ data }) => data?.worker?.output.flush(),
        error() {},
      },
    })
  }
}

class ForkedWorker implements WorkerProcess {
  readonly app: string
  readonly index: number
  readonly serial: number
  readonly transport = "frames"
  readonly address: string
  readonly exited: Promise<End>
  readonly output: Output
  /** 0 until the parent told it. */
  pid = 0
  readonly #options: WorkerOptions
  readonly #end = Promise.withResolvers<End>()
  #control: WorkerControl | undefined
  #gone = false

  constructor(options: WorkerOptions, address: string) {
    const { app, index, serial } = options
    this.#options = options
    this.app = app.name
    this.index = index
    this.serial = serial
    this.address = address
    this.exited = this.#end.promise
    this.output = new Output(printTo(options, () => ({ index, pid: this.pid, fields: { worker: index, pid: this.pid } })))
  }

  async boot(pid: number): Promise<void> {
    const { fronts, guard, signal, bootMs } = this.#options
    this.pid = pid
    guard.watch(pid)
    if (fronts !== undefined && isRoot()) lchownSync(this.address, fronts.uid, fronts.gid)
    const cut = Promise.withResolvers<never>()
    const timer = setTimeout(() => cut.reject(new Error("it was not ready in time")), bootMs ?? BOOT_MS)
    const abort = (): void => cut.reject(new Error("it was told to go"))
    signal?.addEventListener("abort", abort, { once: true })
    if (signal?.aborted === true) abort()
    try {
      const { control, hello } = await WorkerControl.connect(this.address)
      this.#control = control
      const died = this.exited.then(end => Promise.reject(new Error(end.signal === null ? `it ended with exit code ${end.code}` : `it was killed by ${end.signal}`)))
      died.catch(() => {})
      await Promise.race([hello, cut.promise, died])
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener("abort", abort)
    }
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#gone || this.pid === 0) return
    try {
      process.kill(signal === "SIGKILL" ? -this.pid : this.pid, signal)
    } catch {
      // Ended meanwhile, or not in a group of its own yet.
    }
  }

  drain(): void {
    if (this.#control === undefined) this.kill("SIGTERM")
    else this.#control.drain()
  }

  ping(timeoutMs: number): Promise<number> {
    return this.#control?.ping(timeoutMs) ?? Promise.reject(new Error("this worker has not said HELLO yet"))
  }

  async stack(timeoutMs = 2000): Promise<string> {
    return (await this.#control?.stack(timeoutMs)) ?? ""
  }

  memory(): number {
    return residentBytes(this.pid)
  }

  /** Its parent is gone: nobody will tell. */
  async watch(): Promise<void> {
    for (;;) {
      try {
        process.kill(this.pid, 0)
      } catch {
        return this.end({ code: null, signal: null })
      }
      await Bun.sleep(ORPHAN_MS)
    }
  }

  end(end: End): void {
    if (this.#gone) return
    this.#gone = true
    if (this.pid > 0) {
      try {
        process.kill(-this.pid, "SIGKILL")
      } catch {
        // Nothing was left of its group.
      }
      this.#options.guard.forget(this.pid)
    }
    this.#control?.close()
    unlinkQuietly(this.address)
    this.#end.resolve(end)
  }
}
