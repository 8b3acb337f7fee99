/** edge's listener before the same app: `front.ts pool SOCKET` or `front.ts inline`. Prints its port. */
import { AppHost } from "../../src/apps/host.ts"
import { FrameClient } from "../../src/frames/client.ts"
import { patchGlobals } from "../../src/http/bridge/bridge.ts"
import type { Handler } from "../../src/http/middleware/chain.ts"
import { listen } from "../../src/http/server/listener.ts"
import { defaultLimits } from "../../src/http/server/limits.ts"
import type { Logger } from "../../src/log/logger.ts"

const log: Logger = { debug() {}, info() {}, warn: console.error, error: console.error, with: () => log }
const [how, path] = process.argv.slice(2)
const handler = how === "pool" ? await pool(path!) : await inline()
const address = "127.0.0.1:0"
const listener = listen({ hostname: "127.0.0.1", port: 0, address, handler, limits: defaultLimits, trusted: () => false, log })
process.on("SIGTERM", () => process.exit(0))
console.log(listener.port)

async function pool(path: string): Promise<Handler> {
  const client = await FrameClient.connect({ path, name: "bench", timeoutMs: 30_000 })
  return x => client.send(x)
}

async function inline(): Promise<Handler> {
  patchGlobals()
  const { default: app } = await import("./app.ts")
  const host = new AppHost({ module: { fetch: (request, info) => app.fetch(request, info as never, info as never) }, log, socketPath: "" })
  return host.handle
}
