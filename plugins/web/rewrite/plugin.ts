import type { Exchange, Handler } from "edge"
import { definePlugin, encodePath, HeaderList, HttpError, normalizePath, Reply } from "edge"
import { toQueryChange } from "./query.ts"
import { Rule } from "./rule.ts"
import { type RewriteConfig, rewriteSchema } from "./schema.ts"

/**
 * Goes on with another path. In a site's `use` routes are found by the new path (nginx's rewrite in a server, Caddy's
 * rewrite); in a route's only its handler sees it (nginx's `break`).
 */
export default definePlugin({
  name: "rewrite",
  kind: "middleware",
  config: rewriteSchema,
  setup: (config, ctx) => {
    const rules = readRules(config, (why, at) => ctx.fail(why, at))
    const changePath = toPathChange(config)
    const changeQuery = toQueryChange(config.query)
    return { part: next => around(next, { rules, changePath, changeQuery }) }
  },
})

function readRules(config: RewriteConfig, fail: (why: string, at: readonly (string | number)[]) => Error): Rule[] {
  const { from, to, all, status } = config
  if ((from === undefined) !== (to === undefined)) throw fail('"from" and "to" go together', [])
  const first = from === undefined || to === undefined ? [] : [{ rule: { from, to, all, status }, at: ["from"] as (string | number)[] }]
  return [...first, ...config.rules.map((rule, i) => ({ rule, at: ["rules", i] }))].map(({ rule, at }) => {
    try {
      return new Rule(rule)
    } catch (error) {
      throw fail((error as Error).message, at)
    }
  })
}

function toPathChange({ strip_prefix: prefix, strip_suffix: suffix, add_prefix: added }: RewriteConfig): (path: string) => string {
  return path => {
    let to = path
    if (prefix !== undefined && (to === prefix || to.startsWith(`${prefix}/`))) to = to.slice(prefix.length) || "/"
    if (suffix !== undefined && suffix !== "" && to.endsWith(suffix)) to = to.slice(0, -suffix.length) || "/"
    return added === undefined ? to : added + to
  }
}

interface Changes {
  readonly rules: readonly Rule[]
  changePath(path: string): string
  readonly changeQuery: ((query: string) => string) | null
}

function around(next: Handler, { rules, changePath, changeQuery }: Changes): Handler {
  return x => {
    const stripped = changePath(x.path)
    let path = stripped === x.path ? undefined : encodePath(stripped)
    let { query } = x
    for (const rule of rules) {
      const made = rule.apply(x, stripped)
      if (made === undefined) continue
      if (rule.status !== undefined) return redirect(rule.status, changeQuery === null ? made : { ...made, query: changeQuery(made.query) })
      path = made.path
      query = made.query
      break
    }
    if (changeQuery !== null) query = changeQuery(query)
    if (path === undefined && query === x.query) return next(x)
    return next(changed(x, path ?? rawPath(x), query))
  }
}

/** A path that a rule put together may have "//" or dots in it: what follows sees the normal form, as always. */
function changed(x: Exchange, encoded: string, query: string): Exchange {
  const path = normalizePath(encoded)
  if (path === null) throw new HttpError(400, "a rewritten path that has no normal form")
  const target = encodePath(path) + (query === "" ? "" : `?${query}`)
  return x.with({ path, query, target })
}

function rawPath(x: Exchange): string {
  return encodePath(x.path)
}

function redirect(status: number, { path, query }: { path: string; query: string }): Reply {
  // A browser takes "//evil.example" for a host.
  const location = path.replace(/^\/{2,}/, "/") + (query === "" ? "" : `?${query}`)
  return new Reply(status, new HeaderList(["Location", location.replace(/[^\x21-\x7e]+/g, encodeURIComponent)]))
}
