/** The module "edge/plugin-test": tests of plugins and whole sites, run by `edge test` with nothing but the executable. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { cleanEnv, selfArgv } from "./supervisor/self.ts"

export interface Test {
  readonly name: string
  run(): unknown
}

const declared: Test[] = []

/** Declares a test; it fails by throwing (node:assert). */
export function test(name: string, run: () => unknown): void {
  declared.push({ name, run })
}

/** What was declared since the last call. */
export function takeTests(): readonly Test[] {
  return declared.splice(0)
}

/** A running edge. */
export interface TestServer extends AsyncDisposable {
  /** URLs of the config's addresses. */
  readonly urls: readonly string[]
  /** Asks the first address; redirects are not followed. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  stop(): Promise<void>
}

/** Longest that a site may take until it serves. */
const START_MS = 30_000

/**
 * Starts edge with a config and resolves when it serves. `PORT` is 0 in its environment unless `env` says otherwise, so
 * `listen = ["127.0.0.1:${PORT:-8080}"]` takes a free port. Rejects with what edge said when it does not start.
 */
export async function start(config: string, options: { env?: Readonly<Record<string, string>> } = {}): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "edge-test-"))
  const child = Bun.spawn([...selfArgv("run"), "--config", resolve(config), "--control", join(folder, "control.sock")], {
    env: { ...cleanEnv(), PORT: "0", ...options.env },
    stdout: "pipe",
    stderr: "pipe",
  })
  const words = new Response(child.stderr).text()
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM")
    await child.exited
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const urls = await firstUrls(child.stdout)
    if (urls.length === 0) throw new Error(`edge did not start:\n${await words}`)
    return {
      urls,
      fetch: (path, init) => fetch(new URL(path, urls[0]), { redirect: "manual", ...init }),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The lines `serving URL` come together, when everything listens. [] when edge ended instead. */
async function firstUrls(stdout: ReadableStream<Uint8Array>): Promise<readonly string[]> {
  const reader = stdout.getReader()
  const timer = setTimeout(() => void reader.cancel(), START_MS)
  const decoder = new TextDecoder()
  let text = ""
  for (;;) {
    const { value, done } = await reader.read()
    text += decoder.decode(value, { stream: true })
    const urls = [...text.matchAll(/^serving (\S+)\n/gm)].map(match => match[1]!)
    if (urls.length === 0 && !done) continue
    clearTimeout(timer)
    // Access lines go on coming: read on, or the pipe fills and edge has to drop them.
    if (!done) void drain(reader)
    return urls
  }
}

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}
