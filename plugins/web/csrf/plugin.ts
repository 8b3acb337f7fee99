import { definePlugin, type Exchange, forThisClient, HttpError, inEveryReading } from "edge"
import * as v from "valibot"

const origin = v.pipe(v.string(), v.regex(/^https?:\/\/[a-z0-9.-]+(?::\d+)?$|^https?:\/\/\[[0-9a-f:]+\](?::\d+)?$/, 'must be an origin such as "https://app.example.com", in lower case'))
const pattern = v.pipe(v.string(), v.regex(/^\/[^*]*\*?$/, 'must be a path such as "/hooks/*"'))

/** Methods that change nothing (RFC 9110, 9.2.1). */
const safe = new Set(["GET", "HEAD", "OPTIONS", "TRACE"])

/**
 * Refuses what other sites make a user's browser send. Browsers say where a request comes from (Sec-Fetch-Site, all since
 * 2023; Origin before), so no token is needed; who says nothing is no browser and has nobody's cookies.
 */
export default definePlugin({
  name: "csrf",
  kind: "middleware",
  config: v.strictObject({
    trusted: v.pipe(v.optional(v.array(origin), []), v.description("Other origins that may send")),
    except: v.pipe(v.optional(v.array(pattern), []), v.description("Paths that anybody may send to (sign-in by another site, hooks)")),
    websockets: v.pipe(v.optional(v.boolean(), true), v.description("Also refuse WebSockets that other sites open")),
  }),
  setup: ({ trusted, except, websockets }) => {
    const origins = new Set(trusted)
    const exact = new Set(except.filter(path => !path.endsWith("*")))
    const prefixes = except.filter(path => path.endsWith("*")).map(path => path.slice(0, -1))
    const isExcepted = (path: string): boolean => exact.has(path) || prefixes.some(prefix => path.startsWith(prefix))
    const refusal = new HttpError(403, "the request was made by another site", { quiet: true })
    return {
      part: next => x => {
        if (safe.has(x.method) && !(websockets && x.headers.get("upgrade")?.toLowerCase() === "websocket")) return next(x)
        if (isFromHere(x) || origins.has(x.headers.get("origin") ?? "") || inEveryReading(x, isExcepted)) return next(x)
        forThisClient(x)
        throw refusal
      },
    }
  },
})

function isFromHere(x: Exchange): boolean {
  // A subdomain is another site here ("same-site"): it may be somebody else's, or be taken over.
  const site = x.headers.get("sec-fetch-site")
  if (site !== null) return site === "same-origin" || site === "none"
  const sent = x.headers.get("origin")
  if (sent === null) return true
  const [scheme, host] = sent.split("://")
  // Behind a proxy that is not trusted the scheme that the browser saw is not known; from https to http none goes unseen.
  if (host === undefined || (x.scheme === "https" && scheme !== "https")) return false
  return host === withoutUsualPort(x.headers.get("host") ?? x.host, scheme!)
}

function withoutUsualPort(host: string, scheme: string): string {
  const usual = scheme === "https" ? ":443" : ":80"
  const lower = host.toLowerCase()
  return lower.endsWith(usual) ? lower.slice(0, -usual.length) : lower
}
