import type { AppModule, AppSpec, Awaitable, Logger, RequestFacts } from "edge"
import type { AnyApp } from "./app/app.ts"
import { isApp } from "./app/mark.ts"

/** Third argument as Hono wants it (`c.executionCtx`); the facts have its methods too. */
type Fetch = (request: Request, info: RequestFacts, context: RequestFacts) => Awaitable<Response>

export interface AppHosting {
  readonly spec: AppSpec
  readonly dev: boolean
  readonly log: Logger
}

/** An App of "edge/app": it is started with its folder and environment. */
function fromApp(app: AnyApp, { spec, dev, log }: AppHosting): AppModule {
  const boot = { dir: spec.dir, name: spec.name, env: { ...process.env, ...spec.env }, dev, log }
  return {
    fetch: (request, info) => app.fetch(request, info, info as never),
    start: () => app.boot(boot),
    stop: () => app.shutdown(),
    manage: async argv => (await import("./app/manage/run.ts")).runCommand(app, argv, boot),
  }
}

/**
 * What an app's module means: `export default app` (Hono, or any object with fetch), `export default { fetch, websocket }`,
 * `export default function (request)`, or `export function fetch(request)`.
 */
export function toAppModule(module: Record<string, unknown>, host?: AppHosting): AppModule {
  if (isApp(module.default) && host !== undefined) return fromApp(module.default, host)
  const main = module.default as { fetch?: unknown; websocket?: unknown; start?: unknown; stop?: unknown } | undefined | null
  const holder = main !== null && typeof main === "object" ? main : typeof main === "function" ? main : undefined
  const websocket = (holder?.websocket ?? module.websocket) as object | undefined
  const life = {
    ...(websocket !== undefined && { websocket }),
    ...hookOf(holder, "start"),
    ...hookOf(holder, "stop"),
  }
  if (typeof holder?.fetch === "function") {
    const owner = holder as { fetch: Fetch }
    return { fetch: (request, info) => owner.fetch(request, info, info), ...life }
  }
  const plain = typeof main === "function" && !isClass(main) ? main : module.fetch
  if (typeof plain !== "function") throw new Error(whatItExports(module))
  const call = plain as Fetch
  return { fetch: (request, info) => call(request, info, info), ...life }
}

/** `start` and `stop` beside fetch in the default export. */
function hookOf(holder: object | undefined, name: "start" | "stop"): Pick<AppModule, "start" | "stop"> {
  const hook = (holder as Record<string, unknown> | undefined)?.[name]
  return typeof hook === "function" ? { [name]: () => (hook as () => Awaitable<void>).call(holder) } : {}
}

function isClass(value: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value))
}

function whatItExports(module: Record<string, unknown>): string {
  const names = Object.keys(module)
  const wanted = "an app exports a fetch handler: `export default app` with a Hono app, `{ fetch }`, or a function"
  if (names.length === 0) return `the module exports nothing; ${wanted}`
  if ("default" in module) return `its default export is ${describe(module.default)}; ${wanted}`
  const fits = names.find(name => typeof (module[name] as { fetch?: unknown } | null)?.fetch === "function")
  const hint = fits === undefined ? "" : `; did you mean \`export default ${fits}\`?`
  return `it exports ${names.map(name => `"${name}"`).join(", ")} but no default and no fetch; ${wanted}${hint}`
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value === "function") return `the class ${value.name || "(without a name)"}`
  if (typeof value !== "object") return `a ${typeof value}`
  const keys = Object.keys(value)
  return keys.length === 0 ? "an object without a fetch" : `an object with ${keys.slice(0, 8).join(", ")} but no fetch`
}
