/**
 * Modules that the executable itself serves to apps and plugins, so that an app.tsx beside it needs no node_modules.
 * Registered by name, loaded when first imported: an app that uses hono alone pays for hono alone.
 */
import { EdgeError, errors } from "../errors.ts"

type Load = () => Promise<object>

const builtIn: Readonly<Record<string, Load>> = {
  edge: () => import("../plugin.ts"),
  "edge/plugin-test": () => import("../testing.ts"),
  valibot: () => import("valibot"),
  hono: () => import("hono"),
  "hono/accepts": () => import("hono/accepts"),
  "hono/basic-auth": () => import("hono/basic-auth"),
  "hono/bearer-auth": () => import("hono/bearer-auth"),
  "hono/body-limit": () => import("hono/body-limit"),
  "hono/bun": () => import("hono/bun"),
  "hono/cache": () => import("hono/cache"),
  "hono/client": () => import("hono/client"),
  "hono/combine": () => import("hono/combine"),
  "hono/compress": () => import("hono/compress"),
  "hono/conninfo": () => import("hono/conninfo"),
  "hono/context-storage": () => import("hono/context-storage"),
  "hono/cookie": () => import("hono/cookie"),
  "hono/cors": () => import("hono/cors"),
  "hono/csrf": () => import("hono/csrf"),
  "hono/css": () => import("hono/css"),
  "hono/dev": () => import("hono/dev"),
  "hono/etag": () => import("hono/etag"),
  "hono/factory": () => import("hono/factory"),
  "hono/html": () => import("hono/html"),
  "hono/http-exception": () => import("hono/http-exception"),
  "hono/ip-restriction": () => import("hono/ip-restriction"),
  "hono/jsx": () => import("hono/jsx"),
  "hono/jsx-renderer": () => import("hono/jsx-renderer"),
  "hono/jsx/jsx-dev-runtime": () => import("hono/jsx/jsx-dev-runtime"),
  "hono/jsx/jsx-runtime": () => import("hono/jsx/jsx-runtime"),
  "hono/jsx/streaming": () => import("hono/jsx/streaming"),
  "hono/jwk": () => import("hono/jwk"),
  "hono/jwt": () => import("hono/jwt"),
  "hono/language": () => import("hono/language"),
  "hono/logger": () => import("hono/logger"),
  "hono/method-override": () => import("hono/method-override"),
  "hono/powered-by": () => import("hono/powered-by"),
  "hono/pretty-json": () => import("hono/pretty-json"),
  "hono/proxy": () => import("hono/proxy"),
  "hono/quick": () => import("hono/quick"),
  "hono/request": () => import("hono/request"),
  "hono/request-id": () => import("hono/request-id"),
  "hono/route": () => import("hono/route"),
  "hono/secure-headers": () => import("hono/secure-headers"),
  "hono/streaming": () => import("hono/streaming"),
  "hono/testing": () => import("hono/testing"),
  "hono/timeout": () => import("hono/timeout"),
  "hono/timing": () => import("hono/timing"),
  "hono/tiny": () => import("hono/tiny"),
  "hono/trailing-slash": () => import("hono/trailing-slash"),
  "hono/validator": () => import("hono/validator"),
  "hono/ws": () => import("hono/ws"),
}

/** Compiled, the names above were resolved at build time; from source, they would come back to the served modules. */
const FROM_SOURCE = import.meta.path.endsWith("/src/registry/modules.ts")

function loadBuiltIn(name: string): Promise<object> {
  const isPackage = FROM_SOURCE && !name.startsWith("edge")
  return isPackage ? import(Bun.resolveSync(name, import.meta.dir)) : builtIn[name]!()
}

/** Name -> who brought it. */
const served = new Map<string, string>()

/** Names that an import may use without a node_modules. */
export function servedModules(): readonly string[] {
  return [...served.keys()]
}

/** Makes the built-in modules known; call it before the first app or plugin is imported. Calling it again is free. */
export function serveModules(): void {
  if (served.has("edge")) return
  serve(Object.fromEntries(Object.keys(builtIn).map(name => [name, () => loadBuiltIn(name)])), "edge")
}

/** Makes a plugin's `modules` known. Two plugins cannot bring the same name. */
export function servePluginModules(modules: Readonly<Record<string, Load>>, owner: string): void {
  for (const name of Object.keys(modules)) {
    const other = served.get(name)
    if (other !== undefined && other !== owner) throw new EdgeError(errors.moduleTwice(name, other))
  }
  serve(modules, owner)
}

function serve(modules: Readonly<Record<string, Load>>, owner: string): void {
  const fresh = Object.entries(modules).filter(([name]) => !served.has(name))
  if (fresh.length === 0) return
  void Bun.plugin({
    name: owner,
    setup(build) {
      for (const [name, load] of fresh) {
        build.module(name, async () => ({ loader: "object", exports: { ...(await load()) } }))
      }
    },
  })
  for (const [name] of fresh) served.set(name, owner)
}
