/** A real worker process (`edge __worker`), started as the supervisor does it. */
import { writeFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { AppSpec } from "edge"
import { FrameClient } from "../../src/frames/client.ts"
import type { FrameClientOptions } from "../../src/frames/client.ts"
import { close } from "../../src/system/libc.ts"
import { listenUnix } from "../../src/supervisor/sockets/listening-socket.ts"

const main = join(import.meta.dir, "../../src/main.ts")
export const apps = join(import.meta.dir, "apps")

export interface EdgeWorkerOptions {
  readonly entry: string
  readonly dir?: string
  readonly env?: Record<string, string>
  readonly framework?: string
}

export class EdgeWorker {
  readonly run = mkdtempSync(join(tmpdir(), "edge-worker-"))
  readonly socket = join(this.run, "w.sock")
  readonly process: Bun.Subprocess
  readonly #clients: FrameClient[] = []
  #out = ""
  readonly #read: Promise<unknown>

  constructor(options: EdgeWorkerOptions) {
    const dir = options.dir ?? apps
    const app: AppSpec = {
      name: "test",
      dir,
      runtime: "fetch",
      gateway: "pool",
      framework: options.framework ?? "hono",
      env: {},
      concurrency: 100,
      timeoutMs: 0,
      options: { runtime: { entry: options.entry }, gateway: {}, framework: {} },
    }
    const fd = listenUnix(this.socket, 0o600)
    const order = join(this.run, "order.json")
    writeFileSync(order, JSON.stringify({ app, dev: false }))
    const argv = [process.execPath, "--no-install", "--jsx-runtime=automatic", "--jsx-import-source=hono/jsx", main, "__worker", order, "0"]
    this.process = Bun.spawn(argv, {
      cwd: dir,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe", fd],
    } as never)
    close(fd)
    this.#read = Promise.all([this.#gather("stdout"), this.#gather("stderr")])
  }

  async #gather(name: "stdout" | "stderr"): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of this.process[name] as ReadableStream<Uint8Array>) this.#out += decoder.decode(chunk)
  }

  /** What it printed until now. */
  get output(): string {
    return this.#out
  }

  async connect(options: Partial<FrameClientOptions> = {}): Promise<FrameClient> {
    const client = await FrameClient.connect({ path: this.socket, name: "front 0", ...options })
    this.#clients.push(client)
    return client
  }

  /** Its exit code, and all of its output is then there. */
  async exited(): Promise<number> {
    const code = await this.process.exited
    await this.#read
    return code
  }

  /** Resident bytes now. */
  memory(): number {
    return memoryOf(this.process.pid)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close()
    this.process.kill("SIGKILL")
    await this.process.exited
    rmSync(this.run, { recursive: true, force: true })
  }
}

export function memoryOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096
}
