import { isForged } from "../codec/alike.ts"
import { Field, findName, mixName } from "../codec/names.ts"
import { parseHost } from "../codec/host.ts"
import { HttpError } from "../errors.ts"
import { Exchange } from "../exchange.ts"
import type { Carrier, Connection } from "../exchange.ts"
import { HeaderList } from "../headers.ts"
import type { Limits } from "../limits.ts"
import { normalizePath } from "../path.ts"
import type { ByteDuplex } from "../stream.ts"
import { LimitedBody } from "./limited-body.ts"

/** A request of Bun.serve as an Exchange, with the same rules as over HTTP/1.1 wherever Bun lets us see enough. */
export function toExchange(request: Request, conn: Connection, limits: Limits): Exchange {
  const url = splitUrl(request)
  const headers = readHeaders(request, conn.trusted, limits)
  const sent = request.headers.get("host")
  const host = parseHost(url.authority)
  // RFC 9113, 8.3.1: :authority is what counts; a Host beside it must say the same, or somebody behind us is misled.
  if (host === null || (sent !== null && sent.toLowerCase() !== url.authority.toLowerCase() && parseHost(sent) !== host)) {
    throw new HttpError(400, "a bad host")
  }
  const path = normalizePath(url.path)
  if (path === null) throw new HttpError(400, "a bad path")
  const body = request.body === null ? null : new LimitedBody(request, limits)
  const target = url.query === "" ? url.path : `${url.path}?${url.query}`
  const x = new Exchange(request.method, target, path, url.query, host, headers, "2", conn, new RequestCarrier(request), body, performance.now())
  if (body !== null) body.x = x
  return x
}

interface Url {
  authority: string
  path: string
  query: string
}

/** "http://authority/path?query", as Bun puts it together; reading it throws when there is no valid authority. */
function splitUrl(request: Request): Url {
  let url: string
  try {
    url = request.url
  } catch {
    throw new HttpError(400, "a bad host")
  }
  const from = url.indexOf("://") + 3
  const slash = url.indexOf("/", from)
  if (from < 3 || slash < 0) throw new HttpError(400, "no authority")
  const mark = url.indexOf("?", slash)
  return {
    authority: url.slice(from, slash),
    path: mark < 0 ? url.slice(slash) : url.slice(slash, mark),
    query: mark < 0 ? "" : url.slice(mark + 1),
  }
}

/** Names that only HTTP/1.1 has (RFC 9113, 8.2.2) are malformed here; Bun should have refused them. */
const hopByHop = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"])

function readHeaders(request: Request, trusted: boolean, limits: Limits): HeaderList {
  const flat: string[] = []
  // Bun's own; 0.2 us less than its iterator. Set-Cookie, which would be a list, is no request's.
  const fields = request.headers.toJSON() as Record<string, string>
  for (const name in fields) {
    const value = String(fields[name])
    if (hopByHop.has(name)) throw new HttpError(400, "a field of HTTP/1.1")
    const field = fieldOf(name)
    if (field === Field.Forbidden || (!limits.underscores && name.includes("_"))) continue
    if ((!trusted && field === Field.Trust) || (name.charCodeAt(0) === 120 && isForged(name, trusted))) continue
    if (field === Field.Expect && value.toLowerCase() !== "100-continue") throw new HttpError(417, "an unknown expectation")
    if (field === Field.ContentLength && !/^\d{1,15}$/.test(value)) throw new HttpError(400, "a bad Content-Length")
    flat.push(name, value)
  }
  if (flat.length > limits.headFields * 2) throw new HttpError(431, "too many fields")
  return new HeaderList(flat)
}

const scratch = Buffer.allocUnsafe(64)

function fieldOf(name: string): Field {
  if (name.length > scratch.length) return Field.Other
  const size = scratch.latin1Write(name, 0)
  let hash = 0
  for (let i = 0; i < size; i++) hash = mixName(hash, scratch[i]!)
  return findName(scratch, 0, size, hash)?.field ?? Field.Other
}

export class RequestCarrier implements Carrier {
  readonly #request: Request
  constructor(request: Request) {
    this.#request = request
  }
  /** The client is. */
  get gone(): boolean {
    return this.#request.signal.aborted
  }
  upgrade(): ByteDuplex | null {
    return null
  }
  early(): void {}
  onAbort(f: () => void): void {
    const { signal } = this.#request
    if (signal.aborted) f()
    else signal.addEventListener("abort", f, { once: true })
  }
}
