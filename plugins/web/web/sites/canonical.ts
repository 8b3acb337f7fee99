/** One address for each page: the host with or without www, the path with or without a slash at its end. */
import type { Answer, Awaitable, Exchange, Handler } from "edge"
import { encodePath, HeaderList, PASS, Reply } from "edge"
import type { SiteConfig } from "../schema.ts"

/** The names of the site, and those that are sent on to another name. */
export interface Names {
  readonly hosts: readonly string[]
  /** Lower case, where to. */
  readonly aliases: ReadonlyMap<string, string>
}

/** Throws when the names cannot be made one. */
export function toNames({ hosts, canonical }: Pick<SiteConfig, "hosts" | "canonical">): Names {
  const aliases = new Map<string, string>()
  if (canonical === undefined) return { hosts, aliases }
  if (hosts.length === 0) throw new Error("a site for any host has no canonical one; name its hosts")
  if (canonical !== "www" && canonical !== "bare") {
    for (const host of hosts) if (host.toLowerCase() !== canonical) aliases.set(host.toLowerCase(), canonical)
    return { hosts: [...new Set([...hosts, canonical])], aliases }
  }
  const all = new Set(hosts.map(one => one.toLowerCase()))
  for (const host of hosts.map(one => one.toLowerCase())) {
    // Names below a wildcard are as they are.
    if (host.startsWith("*.")) continue
    const bare = host.startsWith("www.") ? host.slice(4) : host
    const [right, other] = canonical === "www" ? [`www.${bare}`, bare] : [bare, `www.${bare}`]
    all.add(right)
    all.add(other)
    aliases.set(other, right)
  }
  return { hosts: [...all], aliases }
}

const where = "web.canonical"

/** The redirect itself: inside the site's middleware, so that its headers (HSTS) are on it. */
export const redirect: Handler = x => new Reply(308, new HeaderList(["Location", String(x.vars?.get(where))]))

/** Sends other names, and other spellings of a path, to `redirecting`, which is `redirect` with middleware around. */
export function canonical(
  handler: Handler,
  { site, redirecting }: { site: Pick<SiteConfig, "hosts" | "canonical" | "trailing_slash">; redirecting: Handler },
): Handler {
  const { aliases } = toNames(site)
  const slash = site.trailing_slash
  if (aliases.size === 0 && slash === "keep") return handler
  const go = (x: Exchange, location: string): Awaitable<Answer> => {
    ;(x.vars ??= new Map()).set(where, location)
    return redirecting(x)
  }
  const inner = slash === "remove" ? withoutSlash(handler) : handler
  return x => {
    const host = aliases.get(x.host)
    const path = wantedPath(x, slash)
    if (host !== undefined) return go(x, `${x.scheme}://${host}${portOf(x)}${locationOf(x, path ?? x.path)}`)
    return path === undefined ? inner(x) : go(x, locationOf(x, path))
  }
}

/** From the normal form: the raw target may be "//evil.example", which a browser takes for a host. */
function locationOf(x: Exchange, path: string): string {
  return encodePath(path) + (x.query === "" ? "" : `?${x.query}`)
}

/** As the client wrote it in Host. */
function portOf(x: Exchange): string {
  return /:\d+$/.exec(x.headers.get("host") ?? "")?.[0] ?? ""
}

/** Undefined when it is right as it is. Only reading requests are moved: a form is sent to where it says. */
function wantedPath({ path, method }: Exchange, slash: SiteConfig["trailing_slash"]): string | undefined {
  if (slash === "keep" || path === "/" || (method !== "GET" && method !== "HEAD")) return undefined
  const ends = path.endsWith("/")
  if (slash === "remove") return ends ? path.slice(0, -1) || "/" : undefined
  // What has an extension is a file; .well-known is not for people (RFC 8615).
  return ends || path.slice(path.lastIndexOf("/")).includes(".") || path.startsWith("/.well-known/") ? undefined : `${path}/`
}

/**
 * What answers at `/a` by sending to `/a/` (a folder, a route `/a/*`) would go round for ever with us: it is asked for
 * `/a/` here, at once.
 */
function withoutSlash(handler: Handler): Handler {
  const settle = (x: Exchange, answer: Answer): Awaitable<Answer> => {
    if (answer === PASS || answer.status < 301 || answer.status > 308 || x.body !== null || x.path.endsWith("/")) return answer
    const location = answer.headers.get("location")
    const path = `${x.path}/`
    if (location === null || location.split("?")[0] !== encodePath(x.prefix + path)) return answer
    return handler(x.with({ path, target: locationOf(x, path) }))
  }
  return x => {
    const answer = handler(x)
    return answer instanceof Promise ? answer.then(got => settle(x, got)) : settle(x, answer)
  }
}
