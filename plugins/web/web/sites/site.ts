/** One `[[site]]` as one handler: routes, their middleware, the site's middleware, error pages; folded once. */
import { readFileSync } from "node:fs"
import type { Context, Handler, Middleware } from "edge"
import { didYouMean, fold, forAll, forThisClient, hasRole } from "edge"
import type { RouteEntry } from "../routing/routes.ts"
import { RouteTree } from "../routing/routes.ts"
import { ErrorPages, type Pages } from "./error-pages.ts"
import { canonical, redirect } from "./canonical.ts"
import { listOf, toMatch, withGroups } from "../routing/matchers.ts"
import { parsePattern, type Pattern } from "../routing/path-pattern.ts"
import { routeSchema, type RouteConfig, type SiteConfig } from "../schema.ts"
import { unlogged } from "./access-log.ts"
import { stripped } from "../routing/strip-prefix.ts"

export type Path = readonly (string | number)[]

/** `at` is the site's own path in the config. */
export async function makeSite(site: SiteConfig, { ctx, at }: { ctx: Context; at: Path }): Promise<Handler> {
  const pages = new ErrorPages(readPages(site.errors, { ctx, at: [...at, "errors"] }), { intercept: site.intercept_errors, ctx })
  const tree = new RouteTree()
  await forAll(site.route.entries(), async ([order, route]) => {
    const place = [...at, "route", order]
    const entry: RouteEntry = { order, run: await makeRoute(route, { ctx, at: place }), match: guard(ctx, place, () => toMatch(route)) }
    for (const pattern of patternsOf(route, { ctx, at: place })) tree.add(pattern, entry)
  })
  // Inside the site's middleware, so that its headers are on error pages too; and outside, for what it throws itself.
  const routes = pages.around(tree.handle, { end: true })
  if (site.use.length === 0) return canonical(routes, { site, redirecting: redirect })
  const use = await makeUse(site.use, { ctx, at: [...at, "use"] })
  const all = canonical(fold(routes, use), { site, redirecting: fold(redirect, use) })
  return pages.around(all, { end: true })
}

async function makeRoute(route: RouteConfig, { ctx, at }: { ctx: Context; at: Path }): Promise<Handler> {
  const name = handlerOf(route, { ctx, at })
  const handler = await ctx.make("handler", { [name]: route[name] }, at)
  // Middleware sees the path as the client asked for it: what it keeps or checks is about that.
  const inner = route.strip === undefined ? handler : stripped(route.strip, handler)
  const all = fold(inner, await makeUse(route.use, { ctx, at: [...at, "use"] }))
  const run = guard(ctx, [...at, "path_regexp"], () => withGroups(route.path_regexp, ofClient(route, all)))
  return route.log ? run : unlogged(run)
}

/** Chosen by the client's address or by a field that it sent, which a cache in front does not look at. */
function ofClient({ ip, header }: RouteConfig, handler: Handler): Handler {
  if (ip === undefined && !Object.values(header ?? {}).some(want => want !== false)) return handler
  return x => {
    forThisClient(x)
    return handler(x)
  }
}

const routeKeys = new Set(Object.keys(routeSchema.entries))

/** A third party's handler of such a name could never be named by a route. Throws when there is one. */
export function refuseRouteKeys(ctx: Context): void {
  const name = ctx.names("handler").find(one => routeKeys.has(one))
  if (name !== undefined) throw ctx.fail(`the plugin's handler ${JSON.stringify(name)} has the name of a key of routes; it needs another`)
}

/** The one key that names a handler plugin. */
function handlerOf(route: RouteConfig, { ctx, at }: { ctx: Context; at: Path }): string {
  const known = ctx.names("handler")
  const [name, second] = Object.keys(route).filter(key => !routeKeys.has(key))
  if (name === undefined) throw ctx.fail(`a route needs a handler: one of ${known.join(", ")}`, at)
  for (const key of [name, second]) {
    if (key !== undefined && !known.includes(key)) {
      const near = didYouMean(key, [...routeKeys, ...known], { list: "allowed" })
      throw ctx.fail(`unknown key "${key}"${near}`, [...at, key], { key: true })
    }
  }
  if (second !== undefined) throw ctx.fail(`a route has one handler; "${name}" and "${second}" are two`, [...at, second])
  return name
}

async function makeUse(use: readonly unknown[], { ctx, at }: { ctx: Context; at: Path }): Promise<Middleware[]> {
  const made: Middleware[] = []
  for (const [i, part] of use.entries()) made.push(await ctx.make("middleware", part, [...at, i]))
  const cache = made.findIndex(part => hasRole(part, "cache"))
  const check = made.findLastIndex(part => hasRole(part, "access"))
  if (cache >= 0 && cache < check) {
    const [outer, inner] = [nameOf(use[cache]), nameOf(use[check])]
    throw ctx.fail(`"${outer}" stands before "${inner}", so it would keep nothing: what an access check lets through is not for others; write "${inner}" first`, [...at, check])
  }
  return made
}

function nameOf(part: unknown): string {
  return typeof part === "string" ? part : (Object.keys(part as object)[0] ?? "")
}

function patternsOf(route: RouteConfig, { ctx, at }: { ctx: Context; at: Path }): Pattern[] {
  return listOf(route.path ?? "*").map(text => guard(ctx, [...at, "path"], () => parsePattern(text)))
}

function readPages(errors: Readonly<Record<string, string>>, { ctx, at }: { ctx: Context; at: Path }): Pages {
  const read = ([status, file]: [string, string]) => {
    const body = guard(ctx, [...at, status], () => readFileSync(ctx.resolve(file)))
    const type = /\.(html?|xhtml)$/i.test(file) ? "text/html" : file.endsWith(".json") ? "application/json" : "text/plain"
    return [status, { body, type: type === "application/json" ? type : `${type}; charset=utf-8` }] as const
  }
  return new Map(Object.entries(errors).map(read))
}

/** What `make` throws, as an error with its place. */
export function guard<T>(ctx: Context, at: Path, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw ctx.fail(error instanceof Error ? error.message : String(error), at)
  }
}
