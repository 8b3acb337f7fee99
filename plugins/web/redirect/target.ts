/** `to = "/new/{rest}"` folded into a function from an Exchange to a Location. */
import type { Exchange } from "edge"
import { encodePath, HttpError } from "edge"

type Piece = string | ((x: Exchange) => string)

const placeholder = /\{([a-z_]\w*)\}|(?<=\/):([a-z_]\w*)/gi

/** Throws when `to` could send clients where a client says: an open redirect. */
export function toTarget(to: string, { keepQuery }: { keepQuery: boolean }): (x: Exchange) => string {
  check(to)
  const pieces = split(to)
  const hash = to.indexOf("#")
  const ownQuery = (hash < 0 ? to : to.slice(0, hash)).includes("?") || to.includes("{query}")
  const local = to.startsWith("/")
  return x => {
    let location = ""
    for (const piece of pieces) location += typeof piece === "string" ? piece : piece(x)
    // "/{rest}" with nothing before: a browser takes "//evil.example" for a host.
    if (local) location = location.replace(/^\/{2,}/, "/")
    if (ownQuery) return location.replace(/\?(?=#|$)/, "")
    return keepQuery && x.query !== "" ? withQuery(location, safeQuery(x.query)) : location
  }
}

function check(to: string): void {
  if (to.startsWith("//") || to.startsWith("/\\")) {
    throw new Error(`"${to}" is another host to a browser; write https:// in front`)
  }
  if (to.startsWith("/")) return
  const url = /^(?:https?|\{scheme\}):\/\/([^/?#]+)/.exec(to)
  if (url === null) throw new Error(`"${to}" must begin with "/", "http://" or "https://"`)
  // {path} begins with a slash and so ends the host.
  const authority = url[1]!.split("{path}")[0]!
  const foreign = [...`//${authority}`.matchAll(placeholder)].find(match => match[1] !== "host")
  if (foreign !== undefined) throw new Error(`the host of "${to}" may hold {host} only: with ${foreign[0]} clients would choose it`)
}

function split(to: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const match of to.matchAll(placeholder)) {
    if (match.index > at) pieces.push(to.slice(at, match.index))
    pieces.push(valueOf(match[1] ?? match[2]!))
    at = match.index + match[0].length
  }
  if (at < to.length) pieces.push(to.slice(at))
  return pieces
}

function valueOf(name: string): (x: Exchange) => string {
  switch (name) {
    case "rest":
      return x => encodePath(x.path.slice(x.restAt + 1))
    case "path":
      return x => encodePath(x.path)
    case "query":
      return x => safeQuery(x.query)
    case "host":
      return x => {
        if (x.host === "") throw new HttpError(400, "a redirect to {host} needs a Host")
        return x.host
      }
    case "scheme":
      return x => x.scheme
    default:
      return x => {
        if (!Object.hasOwn(x.params, name)) throw new HttpError(500, `redirect: the path of the route has no parameter :${name}`)
        return encodePath(x.params[name]!)
      }
  }
}

/** What a URL's query may not hold is encoded; the client's own escapes stay. */
function safeQuery(query: string): string {
  return query.replace(/[^\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e%]+/g, encodeURIComponent)
}

function withQuery(location: string, query: string): string {
  const hash = location.indexOf("#")
  return hash < 0 ? `${location}?${query}` : `${location.slice(0, hash)}?${query}${location.slice(hash)}`
}
