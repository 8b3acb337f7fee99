/** `edge __worker`: the inside of a worker process of a TypeScript app. Descriptor 3 is its listening socket. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { AppHost } from "../apps/host.ts"
import { reason } from "../errors.ts"
import { FrameServer } from "../frames/server.ts"
import { entryFile, loadApp } from "../apps/load.ts"
import type { AppSpec } from "../contract/gateway.ts"
import type { Logger } from "../log/logger.ts"

/** What runtime "fetch" writes into the file that it names. */
export interface WorkerOrder {
  readonly app: AppSpec
  readonly dev: boolean
}

/** How long the app may take to stop once its last request is answered, in ms. */
const stopMs = 10_000
/** How often a drained worker looks whether its last WebSocket is closed, in ms. */
const socketsMs = 100
/** How often a worker that nobody greeted looks whether its supervisor lives, in ms. */
const orphanMs = 1000

/** `args`: the file of the order, and the number of the worker. Resolves with the exit code. */
export async function run([file, index]: readonly string[]): Promise<number> {
  if (file === undefined || index === undefined) {
    console.error("edge __worker is started by edge itself")
    return 2
  }
  const order = JSON.parse(readFileSync(file, "utf8")) as WorkerOrder
  becomeApp(order.app)
  const log = consoleLogger()
  process.on("uncaughtException", error => log.error("uncaught", { error }))
  process.on("unhandledRejection", error => log.error("unhandled rejection", { error }))
  const orphaned = whenOrphaned()
  try {
    const host = await boot(order, { log, socketPath: join(dirname(file), `ws-${index}-${process.pid}.sock`) })
    const served = serve(order, host, log)
    await Promise.race([served, orphaned])
    await host.stop(AbortSignal.timeout(stopMs))
    return 0
  } catch (error) {
    log.error(`app ${order.app.name} cannot start: ${reason(error)}`)
    return 1
  }
}

/**
 * What the app finds: a command line as of a script, and an environment without what Bun reads at start. (Bun.spawn hands on the
 * environment that the process began with whatever happens to process.env, so the order does not come through there.)
 */
function becomeApp(app: AppSpec): void {
  process.argv = [process.execPath, entryFile(app)]
  for (const name of Object.keys(process.env)) if (name.startsWith("BUN_")) delete process.env[name]
}

async function boot(order: WorkerOrder, { log, socketPath }: { log: Logger; socketPath: string }): Promise<AppHost> {
  const module = await loadApp(order.app, { log, dev: order.dev })
  const host = new AppHost({ module, log, socketPath })
  await host.start()
  return host
}

/** Serves until drained; resolves when everything is answered. */
function serve(order: WorkerOrder, host: AppHost, log: Logger): Promise<void> {
  return new Promise(resolve => {
    const server = new FrameServer({
      fd: 3,
      hello: {
        name: order.app.name,
        concurrency: order.app.concurrency,
        ...(host.ws !== undefined && { ws: host.ws }),
      },
      handler: host.handle,
      onError: (error, x) => log.error("an answer broke off", { method: x.method, path: x.path, error }),
      // WebSockets of a drained worker last until the supervisor's timeout; an orphan has nobody to wait for.
      onIdle: why => (why === "drained" ? whenClosed(host).then(resolve) : resolve()),
    })
    process.on("SIGTERM", () => server.drain())
  })
}

/** Resolves once no WebSocket is open. */
async function whenClosed(host: AppHost): Promise<void> {
  while (host.open > 0) await Bun.sleep(socketsMs)
}

/** A supervisor that dies before it greets leaves us to another parent; afterwards its connection tells. */
function whenOrphaned(): Promise<void> {
  const parent = process.ppid
  return new Promise(resolve => {
    setInterval(() => process.ppid !== parent && resolve(), orphanMs).unref()
  })
}

/** Lines of a worker go to its stderr, where the supervisor reads the level off them and adds app and worker. */
function consoleLogger(): Logger {
  const logger: Logger = {
    // Whether it is written is the supervisor's to say, which hears of new levels.
    debug: (message, fields) => writeLine(message, { level: 7, fields }),
    info: (message, fields) => writeLine(message, { level: 6, fields }),
    warn: (message, fields) => writeLine(message, { level: 4, fields }),
    error: (message, fields) => writeLine(message, { level: 3, fields }),
    with: () => logger,
  }
  return logger
}

/** One entry: every line has the level, as sd-daemon(3) writes it, and those that go on with it a tab (docs/worker-protocol.md). */
function writeLine(text: string, { level, fields = {} }: { level: number; fields?: Record<string, unknown> | undefined }): void {
  const { error, ...rest } = fields
  const detail = Object.entries(rest).map(([name, value]) => ` ${name}=${String(value)}`)
  const whole = `${text}${detail.join("")}${error === undefined ? "" : `\n${describe(error)}`}`
  console.error(`<${level}>${whole.replaceAll("\n", `\n<${level}>\t`)}`)
}

/** With file and line: Bun maps stacks back to the source. */
function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : Bun.inspect(error)
}
