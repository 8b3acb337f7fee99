/** What a CGI-like server is told of a request, by the names of RFC 3875 and as nginx's fastcgi_params and uwsgi_params set them. */
import { HttpError } from "../http/message/errors.ts"
import type { Exchange } from "../http/message/exchange.ts"
import { encodePath, pathBytes } from "../http/message/path.ts"
import { edgeVersion } from "../version.ts"

/** name, value, ...; values are Latin-1: one character a byte. */
export type Params = string[]

export interface ScriptFacts {
  /** In normal form (http/path.ts); "" when the server decides itself. */
  readonly scriptName: string
  /** Decoded, as bytes: one character each. */
  readonly pathInfo: string
  /** Where scripts lie; "" when there is no such place. */
  readonly documentRoot: string
  /** File of the script; absent for servers that know none (uWSGI). */
  readonly scriptFilename?: string
}

/** `length`: bytes of the body, null for none. */
export function cgiParams(x: Exchange, { script, length }: { script: ScriptFacts; length: number | null }): Params {
  const scriptName = pathBytes(encodePath(script.scriptName))
  // A program in C sees what is before it: `/upload/x.php%00.png` would be another name here than there.
  if (scriptName.includes("\0") || script.pathInfo.includes("\0")) throw new HttpError(400, "a NUL in a path of CGI")
  const { host, port } = splitHost(x.headers.get("host") ?? x.host, x.scheme)
  const params: Params = [
    "GATEWAY_INTERFACE", "CGI/1.1",
    "SERVER_SOFTWARE", `edge/${edgeVersion}`,
    "SERVER_PROTOCOL", x.httpVersion === "2" ? "HTTP/2.0" : `HTTP/${x.httpVersion}`,
    "SERVER_NAME", host,
    "SERVER_PORT", port,
    "REQUEST_METHOD", x.method,
    "REQUEST_SCHEME", x.scheme,
    // What `strip` took off stands in SCRIPT_NAME, and programs take the one from the other.
    "REQUEST_URI", encodePath(x.prefix) + originForm(x.target),
    "QUERY_STRING", x.query,
    "DOCUMENT_URI", scriptName + script.pathInfo,
    "SCRIPT_NAME", scriptName,
    "PATH_INFO", script.pathInfo,
    "DOCUMENT_ROOT", bytes(script.documentRoot),
    "REMOTE_ADDR", x.ip,
    "REMOTE_PORT", x.conn.peerPort > 0 ? String(x.conn.peerPort) : "",
    "CONTENT_TYPE", x.headers.get("content-type") ?? "",
    "CONTENT_LENGTH", length === null ? "" : String(length),
  ]
  if (script.scriptFilename !== undefined) {
    // PHP is often built to refuse scripts that no web server sent (cgi.force_redirect).
    params.push("SCRIPT_FILENAME", bytes(script.scriptFilename), "REDIRECT_STATUS", "200")
  }
  if (x.scheme === "https") params.push("HTTPS", "on")
  for (const [name, value] of joined(x)) params.push(name, value)
  return params
}

/** HTTP_ACCEPT and the like. Names that repeat are joined (RFC 3875, 4.1.18), cookies by ";". */
function joined(x: Exchange): Map<string, string> {
  const fields = new Map<string, string>()
  const { flat } = x.headers
  for (let i = 0; i < flat.length; i += 2) {
    // PHP takes X.User for X-User, and others do worse (shellshock). "_" is here only where the config lets it.
    if (odd.test(flat[i]!)) continue
    const name = `HTTP_${flat[i]!.toUpperCase().replaceAll("-", "_")}`
    // Proxy: would set HTTP_PROXY, which programs take for their own proxy ("httpoxy").
    if (ours.has(name)) continue
    const before = fields.get(name)
    const value = flat[i + 1]!
    fields.set(name, before === undefined ? value : `${before}${name === "HTTP_COOKIE" ? "; " : ", "}${value}`)
  }
  return fields
}

const odd = /[^\w-]/

const ours = new Set(["HTTP_PROXY", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_CONNECTION", "HTTP_PROXY_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_TRANSFER_ENCODING", "HTTP_TE", "HTTP_TRAILER", "HTTP_UPGRADE", "HTTP_EXPECT"])

/** "http://host/path" (RFC 9112, 3.2.2) as programs know it. */
function originForm(target: string): string {
  if (target.startsWith("/")) return target
  const at = target.indexOf("/", target.indexOf("://") + 3)
  return at < 0 ? "/" : target.slice(at)
}

function splitHost(host: string, scheme: string): { host: string; port: string } {
  const usual = scheme === "https" ? "443" : "80"
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(host)
  return { host: match?.[1] || "localhost", port: match?.[2] ?? usual }
}

/** UTF-8, one character a byte. */
function bytes(text: string): string {
  return Buffer.from(text, "utf8").latin1Slice()
}
