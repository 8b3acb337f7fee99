/** A running edge, as its user would start it: a folder with a site.toml, the executable, its output. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { executable } from "../build.ts"

export interface EdgeOptions {
  /** site.toml; listen on port 0 and ask `port` for the real one. */
  readonly config: string
  /** Other files of the folder. */
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** Default: serve. */
  readonly args?: readonly string[]
  /** Put before the executable, as ["sh", "-c", "..."]. */
  readonly wrap?: (argv: string[]) => string[]
  readonly fds?: readonly number[]
  /** Makes what cannot be written down here. */
  prepare?(dir: string): void
}

/** EDGE_SOURCE=1 runs the source instead of the executable: quicker to try, and not what users run. */
export async function edgeArgv(): Promise<string[]> {
  if (process.env.EDGE_SOURCE === "1") return [process.execPath, join(import.meta.dir, "..", "..", "src", "main.ts")]
  return [await executable()]
}

export class Edge {
  output = ""
  readonly exited: Promise<number>
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">
  #heard: (() => void)[] = []

  private constructor(
    readonly dir: string,
    readonly argv: readonly string[],
    options: EdgeOptions,
  ) {
    const argvInAll = [...argv, ...(options.args ?? [])]
    this.#process = Bun.spawn(options.wrap?.(argvInAll) ?? argvInAll, {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe", ...(options.fds ?? [])] as never,
      env: { ...process.env, ...options.env },
    }) as never
    const done = [this.#listen(this.#process.stdout), this.#listen(this.#process.stderr)]
    this.exited = this.#process.exited.then(async code => {
      // A child that it left behind would hold the pipes: that is a finding, not a reason to hang.
      await Promise.race([Promise.all(done), Bun.sleep(2000)])
      this.#wake()
      return code
    })
  }

  /** Starts it in a folder of its own, and waits until it serves. */
  static async start(options: EdgeOptions): Promise<Edge> {
    const edge = await Edge.launch(options)
    await edge.heard(/^serving /m)
    await edge.heard(/INFO {2}serving generation=1|"serving","generation":1/)
    return edge
  }

  /** Starts it and waits for nothing. */
  static async launch(options: EdgeOptions): Promise<Edge> {
    const dir = makeFolder(options)
    options.prepare?.(dir)
    return new Edge(dir, await edgeArgv(), options)
  }

  /** Another one in the same folder. */
  static async again(dir: string, options: Omit<EdgeOptions, "config"> = {}): Promise<Edge> {
    return new Edge(dir, await edgeArgv(), { ...options, config: "" })
  }

  get pid(): number {
    return this.#process.pid
  }

  /** Port of the n-th address that was printed. */
  port(n = 0): number {
    const ports = [...this.output.matchAll(/^serving https?:\/\/[^/]*:(\d+)/gm)].map(match => Number(match[1]))
    const port = ports[n]
    if (port === undefined) throw new Error(`no address number ${n} in:\n${this.output}`)
    return port
  }

  url(path: string, n = 0): string {
    return `http://127.0.0.1:${this.port(n)}${path}`
  }

  async get(path: string, init: RequestInit = {}): Promise<string> {
    return await (await fetch(this.url(path), { keepalive: false, ...init })).text()
  }

  write(name: string, text: string): void {
    const path = join(this.dir, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }

  read(name: string): string {
    return readFileSync(join(this.dir, name), "utf8")
  }

  /** Another `edge` command in the same folder. */
  async command(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const child = Bun.spawn([...this.argv, ...args], { cwd: this.dir, stdout: "pipe", stderr: "pipe" })
    const [code, out, err] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()])
    return { code, out, err }
  }

  async status(): Promise<import("../../src/control.ts").Status> {
    return JSON.parse((await this.command("status", "--json")).out) as never
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Resolves when the output has it; rejects with all of the output when edge ends before. */
  async heard(what: RegExp | string, times = 1): Promise<void> {
    const pattern = typeof what === "string" ? new RegExp(RegExp.escape(what), "g") : new RegExp(what.source, `${what.flags}g`)
    while ([...this.output.matchAll(pattern)].length < times) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        await this.exited
        if ([...this.output.matchAll(pattern)].length >= times) return
        throw new Error(`edge ended without saying ${pattern}:\n${this.output}`)
      }
      await Promise.race([new Promise<void>(resolve => this.#heard.push(resolve)), this.#process.exited])
    }
  }

  /** Ends it if it still runs, and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.signal("SIGTERM")
      this.signal("SIGTERM")
    }
    await this.exited
    rmSync(this.dir, { recursive: true, force: true })
  }

  async #listen(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      this.output += decoder.decode(chunk, { stream: true })
      this.#wake()
    }
  }

  #wake(): void {
    for (const wake of this.#heard.splice(0)) wake()
  }
}

function makeFolder({ config, files = {} }: EdgeOptions): string {
  const dir = mkdtempSync(join(tmpdir(), "edge-test-"))
  // Fronts and apps of another user read from it.
  chmodSync(dir, 0o755)
  for (const [name, text] of Object.entries({ "site.toml": config, ...files })) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  return dir
}

/** Whether a process is there, and not only waiting to be reaped. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

/** Waits until it is so; what it waits for must come, or the test's own time limit says where it hung. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(10)
}
