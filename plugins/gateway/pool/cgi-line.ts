import { resolve } from "node:path"
import type { AppSpec, Exchange, Logger, WorkerInfo } from "edge"
import { CgiUpstream, parseTarget, pathBytes, Scripts } from "edge"

/** Options of runtime "fastcgi" that a front needs. */
interface FastcgiOptions {
  readonly root: string
  readonly index: string
  readonly extensions: readonly string[]
  readonly fallback: string | false
  readonly check: boolean
  readonly keep: number
}

/** A front's way to PHP-FPM, uWSGI and the like. */
export function openCgi({ app, worker, log }: { app: AppSpec; worker: WorkerInfo; log: Logger }): CgiUpstream {
  const { address, transport } = worker
  const options = app.options.runtime
  const common = {
    target: parseTarget(address.startsWith("/") ? `unix:${address}` : `http://${address}`),
    headMs: app.timeoutMs === 0 ? Infinity : app.timeoutMs,
    onStderr: (text: string) => log.warn(text, { stream: "stderr" }),
  }
  if (transport === "uwsgi") {
    const modifier1 = options["modifier1"] as number
    return new CgiUpstream({ ...common, protocol: { name: "uwsgi", modifier1 }, keepIdle: 0, script: whole })
  }
  const { root, index, extensions, fallback, check, keep } = options as unknown as FastcgiOptions
  const scripts = new Scripts({ root: resolve(app.dir, root), index, extensions, fallback: fallback === false ? "" : fallback, check })
  return new CgiUpstream({ ...common, protocol: { name: "fastcgi" }, keepIdle: keep, script: x => scripts.find(x.path, x.prefix) })
}

/** The whole path is the program's own business (PEP 3333: SCRIPT_NAME is where it is mounted). */
function whole(x: Exchange) {
  return { scriptName: x.prefix, pathInfo: pathBytes(x.target), documentRoot: "" }
}
