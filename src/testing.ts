/** The module "edge/plugin-test": tests of plugins and whole sites, run by `edge test` with nothing but the executable. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { checkOptions } from "./options.ts"
import { cleanEnv, selfArgv } from "./system/self.ts"

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
  /** Where it keeps what it writes: databases, uploads, mails, logs. Gone when it stops. */
  readonly folder: string
  /** Asks the first address; redirects are not followed. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  stop(): Promise<void>
}

/** Longest that a site may take until it serves. */
const START_MS = 30_000

/**
 * Starts edge with a config and resolves when it serves, apart from the server that may be running with it: free ports,
 * and a folder of its own for the shared state, the databases of TypeScript apps (their migrations are applied), uploads,
 * mails, logs and caches. Daemons and cron jobs of the apps are left out. What a program of another language, an upstream
 * or a plugin's store opens by itself is told by `env`, which wins over the config's variables. Rejects with what edge
 * said when it does not start.
 */
export async function start(config: string, options: { env?: Readonly<Record<string, string>> } = {}): Promise<TestServer> {
  checkOptions("start()", options, { env: "object" })
  const folder = await mkdtemp(join(tmpdir(), "edge-test-"))
  const given = options.env ?? {}
  const child = Bun.spawn([...selfArgv("__apart"), resolve(config), folder, ...Object.keys(given)], {
    env: { ...cleanEnv(), PORT: "0", ...given },
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
      folder,
      fetch: (path, init) => ask(new URL(path, urls[0]), init),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A name of the config need not be one of the network: everything listens here. */
function ask(url: URL, init: RequestInit = {}): Promise<Response> {
  const { host, hostname, protocol } = url
  if (protocol !== "http:" || /^(?:[\d.]+|\[.*\]|localhost)$/.test(hostname)) return fetch(url, { redirect: "manual", ...init })
  const headers = new Headers(init.headers)
  if (!headers.has("host")) headers.set("host", host)
  url.hostname = "127.0.0.1"
  return fetch(url, { redirect: "manual", ...init, headers })
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
