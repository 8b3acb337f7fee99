/** Imports a TypeScript app and asks its framework what it means: in a worker, or in a front for gateway "inline". */
import { resolve } from "node:path"
import { locateError, formatLocated } from "../registry/source-location.ts"
import { noBus } from "../generation/bus.ts"
import { didYouMean } from "../config/suggest.ts"
import { reason, showFile } from "../errors.ts"
import { patchGlobals } from "../http/bridge/bridge.ts"
import type { AppModule } from "../contract/framework.ts"
import type { AppSpec } from "../contract/gateway.ts"
import type { Context } from "../contract/plugin.ts"
import type { Logger } from "../log/logger.ts"
import { Registry } from "../registry/registry.ts"
import { State } from "../generation/state.ts"

export interface LoadAppOptions {
  readonly log: Logger
  readonly dev?: boolean
  readonly signal?: AbortSignal
}

/** Rejects with an Error whose message names the file and line at fault. */
export async function loadApp(app: AppSpec, options: LoadAppOptions): Promise<AppModule> {
  patchGlobals()
  const entry = entryFile(app)
  const registry = app.frameworkFile === undefined ? new Registry() : await Registry.ofFile(app.frameworkFile)
  const found = await registry.find("framework", app.framework)
  if (found === undefined) throw new Error(`no framework named "${app.framework}"`)
  const live = await found.plugin.setup(app.options.framework, contextOf(app, options))
  await live.start?.()
  let module: Record<string, unknown>
  try {
    module = (await import(entry)) as Record<string, unknown>
  } catch (error) {
    const right = await rightName(error)
    const why = formatLocated(locateError(error, entry))
    throw new Error(right === "" ? why : why.replace(/\.$/, "") + right, { cause: error })
  }
  try {
    return await live.part.load(module, app)
  } catch (error) {
    throw new Error(`${showFile(entry)}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** For an import of a name that a module of edge's does not have: the nearest that it has. */
async function rightName(error: unknown): Promise<string> {
  const [, name, from] = /^Export named '(.+)' not found in module '(edge(?:\/[\w-]+)?|hono|valibot)'/.exec(reason(error)) ?? []
  if (name === undefined || from === undefined) return ""
  const names = Object.keys((await import(from)) as object)
  return didYouMean(name, names, { list: "it has" })
}

/** The app's module, absolute. */
export function entryFile(app: AppSpec): string {
  const { entry } = app.options.runtime
  return resolve(app.dir, typeof entry === "string" ? entry : "app.ts")
}

/** A framework runs where there is no web layer: of the Context it has the log and its folder. */
function contextOf(app: AppSpec, options: LoadAppOptions): Context {
  const at = `app.${app.name}`
  return {
    log: options.log,
    dir: app.dir,
    digest: "",
    at,
    signal: options.signal ?? new AbortController().signal,
    dev: options.dev ?? false,
    bus: noBus,
    store: new State(options.log),
    page: not("share pages with fronts"),
    resolve: path => resolve(app.dir, path),
    make: not("make other parts"),
    names: () => [],
    app: not("send to apps"),
    redispatch: not("send requests through the web layer"),
    place: (path = []) => [at, ...path].join("."),
    fail: (message, path = []) => new Error(`${[at, ...path].join(".")}: ${message}`),
  }
}

function not(what: string): () => never {
  return () => {
    throw new Error(`a framework cannot ${what} here`)
  }
}
