/** The listener with the proxy handler, as a generation would put them together. As a script: `serve.ts OPTIONS_JSON`. */
import { dirname, isAbsolute, join } from "node:path"
import * as v from "valibot"
import proxy from "../../plugins/web/proxy/plugin.ts"
import { listen, type HttpListener } from "../../src/http/server/listener.ts"
import { defaultLimits } from "../../src/http/server/limits.ts"
import type { Logger } from "../../src/log/logger.ts"
import type { Context } from "../../src/contract/plugin.ts"
import type { Handler } from "../../src/http/middleware/chain.ts"

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: Record<string, unknown>
}

export interface Served {
  readonly port: number
  readonly url: string
  readonly listener: HttpListener
  readonly lines: LogLine[]
  stop(): Promise<void>
}

function logTo(lines: LogLine[]): Logger {
  const at = (level: string) => (message: string, fields: Record<string, unknown> = {}) => void lines.push({ level, message, fields })
  const log: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), with: () => log }
  return log
}

export async function serveProxy(options: unknown, { dir = dirname(import.meta.path), trusted = false, wrap = (h: Handler) => h } = {}): Promise<Served> {
  const lines: LogLine[] = []
  const log = logTo(lines)
  const ctx = {
    log,
    at: "test",
    dir,
    resolve: (path: string) => (isAbsolute(path) ? path : join(dir, path)),
    names: () => [],
    fail: (why: string, at: readonly (string | number)[] = []) => new Error(`${at.join(".")}: ${why}`),
  } as unknown as Context
  const live = await proxy.setup(v.parse(proxy.config, options), ctx)
  await live.start?.()
  const listener = listen({
    hostname: "127.0.0.1",
    port: 0,
    address: "127.0.0.1:0",
    handler: wrap(live.part),
    limits: { ...defaultLimits, bodyBytes: 1024 ** 3 },
    trusted: () => trusted,
    log,
  })
  return {
    port: listener.port,
    url: `http://127.0.0.1:${listener.port}`,
    listener,
    lines,
    stop: async () => {
      listener.stop()
      listener.closeNow()
      await live.stop?.(AbortSignal.timeout(100))
    },
  }
}

if (import.meta.main) {
  const served = await serveProxy(JSON.parse(process.argv[2]!))
  console.log(served.port)
}
