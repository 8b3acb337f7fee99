/** Starts one worker from its Launch as the supervisor does: files in a private folder, a listening socket as 3. */
import type { Launch } from "edge"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RawFront } from "./raw-front.ts"

/** Where Debian's Flask and Django are; another one to see that the workers run under it. */
export const systemPython = process.env.EDGE_TEST_PYTHON ?? "/usr/bin/python3"

/** Listens, makes the socket descriptor 3, and becomes the worker. */
const launcher = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
if s.fileno() != 3:
    os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.execvp(sys.argv[2], sys.argv[2:])
`

export class PythonWorker {
  readonly run = mkdtempSync(join(tmpdir(), "edge-python-"))
  readonly socket = join(this.run, "w.sock")
  readonly process: Bun.Subprocess<"ignore", "pipe", "pipe">
  readonly #fronts: RawFront[] = []
  #out = ""
  #readers: Promise<void>[]

  constructor(launch: Launch, env: Record<string, string> = {}) {
    for (const [name, text] of Object.entries(launch.files ?? {})) writeFileSync(join(this.run, name), text)
    const argv = launch.argv.map(word => word.replaceAll("{run}", this.run))
    this.process = Bun.spawn([systemPython, "-c", launcher, this.socket, ...argv], {
      cwd: launch.cwd,
      env: { PATH: process.env.PATH ?? "", ...launch.env, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    })
    this.#readers = [this.#read(this.process.stdout), this.#read(this.process.stderr)]
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) this.#out += decoder.decode(chunk, { stream: true })
  }

  /** What it printed until now, on both streams. */
  get output(): string {
    return this.#out
  }

  /** Resolves once the output holds `text`. */
  async printed(text: string): Promise<void> {
    while (!this.#out.includes(text)) {
      if (this.process.exitCode !== null) throw new Error(`it ended without printing ${text}:\n${this.#out}`)
      await Bun.sleep(5)
    }
  }

  async connect(role = "front"): Promise<RawFront> {
    const front = await this.#retry(() => RawFront.connect(this.socket, role))
    await front.next(seen => seen.type === 1)
    this.#fronts.push(front)
    return front
  }

  async connectSilently(): Promise<RawFront> {
    const front = await this.#retry(() => RawFront.connectSilently(this.socket))
    this.#fronts.push(front)
    return front
  }

  /** The launcher needs a moment until it listens. */
  async #retry(connect: () => Promise<RawFront>): Promise<RawFront> {
    for (;;) {
      try {
        return await connect()
      } catch (error) {
        if (this.process.exitCode !== null) throw error
        await Bun.sleep(5)
      }
    }
  }

  /** Exit code, and all that it printed. */
  async ended(): Promise<{ code: number; output: string }> {
    const code = await this.process.exited
    await Promise.all(this.#readers)
    return { code, output: this.#out }
  }

  async stop(): Promise<void> {
    for (const front of this.#fronts) front.close()
    this.process.kill("SIGKILL")
    await this.process.exited
    rmSync(this.run, { recursive: true, force: true })
  }
}
