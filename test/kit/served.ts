/** A config served in this process over real sockets: TOML in, URLs out. For what needs no supervisor. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { LogLine } from "./context.ts"
import { logTo } from "./context.ts"
import { loadConfig } from "../../src/config/load.ts"
import { type Generation, setUp } from "../../src/generation/generation.ts"
import { defaultLimits } from "../../src/http/server/limits.ts"
import { type HttpListener, listen } from "../../src/http/server/listener.ts"

export interface Served {
  readonly dir: string
  /** Port of the n-th address of the config. */
  port(n?: number): number
  url(path: string, n?: number): string
  readonly generation: Generation
  readonly log: readonly LogLine[]
  stop(): Promise<void>
}

/** A folder of its own with these files; the caller removes it, or `Served.stop` does. */
export function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const dir = mkdtempSync(join(tmpdir(), "edge-test-"))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), content)
  }
  return dir
}

/** Only plain addresses; each is given a free port, whatever the config says. */
export async function serve(toml: string, files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<Served> {
  const dir = folder({ "site.toml": toml, ...files })
  const log: LogLine[] = []
  const generation = await setUp(await loadConfig(join(dir, "site.toml")), { log: logTo(log), dev: false })
  await generation.start()
  const listeners: HttpListener[] = generation.bindings.map(binding =>
    listen({
      hostname: "127.0.0.1",
      port: 0,
      address: binding.address,
      handler: binding.handler,
      limits: defaultLimits,
      trusted: () => false,
      log: logTo(log),
    }),
  )
  const port = (n = 0) => listeners[n]!.port
  return {
    dir,
    log,
    generation,
    port,
    url: (path, n) => `http://127.0.0.1:${port(n)}${path}`,
    stop: async () => {
      for (const listener of listeners) listener.closeNow()
      await generation.stop(AbortSignal.timeout(1000))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
