import type { Exchange, Handler } from "edge"
import { encodePath, normalizePath } from "edge"

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
 * The raw target without the prefix, so that what is behind gets the client's own spelling: `//`, escapes and dots too. Only
 * where that is not the same path (`/api/../api/x` would come out as `/../api/x`) the normal form is sent.
 */
function stripTarget(x: Exchange, { prefix, rest }: { prefix: string; rest: string }): string {
  const raw = x.target
  if (raw.startsWith(prefix) && !dots.test(raw)) {
    const cut = raw.slice(prefix.length)
    if (cut.startsWith("/")) return cut
    if (cut === "" || cut.startsWith("?")) return `/${cut}`
  }
  const mark = raw.indexOf("?")
  const path = mark < 0 ? raw : raw.slice(0, mark)
  const cut = withoutSegments(path, prefix.split("/").length - 1)
  return (normalizePath(cut) === rest ? cut : encodePath(rest)) + (mark < 0 ? "" : raw.slice(mark))
}

const dots = /\/(?:\.|%2e)/i

/** Without its first segments, empty ones in front of and between them too. */
function withoutSegments(path: string, count: number): string {
  let at = 0
  for (let i = 0; i < count; i++) {
    while (path.charCodeAt(at) === 47) at++
    const slash = path.indexOf("/", at)
    if (slash < 0) return "/"
    at = slash
  }
  return path.slice(at)
}
