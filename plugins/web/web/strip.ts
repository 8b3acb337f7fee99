import type { Exchange, Handler } from "edge"
import { encodePath } from "edge"

/** Takes `prefix` off the path of what `handler` sees; a path without it goes through as it is. */
export function stripped(prefix: string, handler: Handler): Handler {
  return x => {
    const { path } = x
    if (!path.startsWith(prefix)) return handler(x)
    if (path.length > prefix.length && path.charCodeAt(prefix.length) !== 47) return handler(x)
    const rest = path.slice(prefix.length) || "/"
    const inner = x.with({ path: rest, target: stripTarget(x, { prefix, rest }), prefix: x.prefix + prefix })
    inner.restAt = Math.max(0, x.restAt - prefix.length)
    return handler(inner)
  }
}

/**
 * The raw target without the prefix, so that upstreams get the client's own spelling; but only where that is surely
 * the same path: with dot segments or "//" in it, `/api/../x` would come out as `/../x`. Then the normal form is sent.
 */
function stripTarget(x: Exchange, { prefix, rest }: { prefix: string; rest: string }): string {
  const raw = x.target
  const query = x.query === "" ? "" : `?${x.query}`
  if (raw.startsWith(prefix) && !/\/\/|\/\.|\/%2e/i.test(raw)) {
    const cut = raw.slice(prefix.length)
    if (cut.startsWith("/")) return cut
    if (cut === "" || cut.startsWith("?")) return `/${cut}`
  }
  return encodePath(rest) + query
}
