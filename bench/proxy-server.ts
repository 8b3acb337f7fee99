/** The proxy alone, for bench/proxy.ts: PORT UPSTREAM. */
import { listen } from "../src/http/server/listener.ts"
import { defaultLimits } from "../src/http/server/limits.ts"
import type { Logger } from "../src/log/logger.ts"
import type { Context } from "../src/contract/plugin.ts"
import proxy from "../plugins/web/proxy/plugin.ts"

const write = (message: string, fields?: Record<string, unknown>) => console.error(message, fields)
const log: Logger = { debug: write, info: write, warn: write, error: write, with: () => log }
const ctx = { log, at: "bench", dir: "/", resolve: (path: string) => path, names: () => [], fail: (why: string) => new Error(why) } as unknown as Context

const { part, start } = await proxy.setup(process.argv[3]!, ctx)
await start?.()
listen({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  address: `127.0.0.1:${process.argv[2]}`,
  handler: part,
  limits: defaultLimits,
  trusted: () => false,
  log,
})
