import type { Exchange, Reply } from "edge"
import type { Server } from "../servers/endpoint.ts"

/**
 * A redirect to the upstream's own address, which clients cannot reach, becomes one to ours (nginx's proxy_redirect,
 * Apache's ProxyPassReverse). The prefix of its URL comes off, what `strip` took goes in front.
 */
export function fixLocation(reply: Reply, { x, upstream }: { x: Exchange; upstream: Server }): void {
  const { status } = reply
  if (status !== 201 && (status < 300 || status > 308 || status === 304)) return
  const location = reply.headers.get("location")
  if (location === null) return
  const { prefix, authority, secure, unix } = upstream.target
  const base = `${secure ? "https" : "http"}://${authority}`
  // Over a unix socket "localhost" is whatever the server happens to call itself.
  const own = unix === "" && location.toLowerCase().startsWith(base.toLowerCase()) && isEnd(location.charCodeAt(base.length))
  const path = own ? location.slice(base.length) : location
  if (!own && (prefix === "" || !path.startsWith("/"))) return
  const rest = prefix !== "" && path.startsWith(prefix) && isEnd(path.charCodeAt(prefix.length)) ? path.slice(prefix.length) : own && prefix === "" ? path : null
  // Outside of what the route shows: there is no address of ours for it.
  if (rest === null) return
  const to = x.prefix + (rest.startsWith("/") ? rest : `/${rest}`)
  // A browser takes "//evil.example" for a host.
  reply.headers.set("Location", to.replace(/^\/[/\\]+/, "/"))
}

/** NaN at the end of the text, "/", "?" or "#". */
function isEnd(code: number): boolean {
  return Number.isNaN(code) || code === 47 || code === 63 || code === 35
}
