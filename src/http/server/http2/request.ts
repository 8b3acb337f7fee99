import { dropTwins, isForged } from "../../codec/alike.ts"
import { Field, findName, mixName } from "../../codec/names.ts"
import { parseHost } from "../../codec/host.ts"
import { HttpError } from "../../message/errors.ts"
import { Exchange } from "../../message/exchange.ts"
import type { Carrier, Connection } from "../../message/exchange.ts"
import { HeaderList } from "../../message/headers.ts"
import type { Limits } from "../limits.ts"
import { normalizePath } from "../../message/path.ts"
import type { ByteDuplex } from "../../message/stream.ts"
import { headField, readHead } from "./head-translator.ts"
import { LimitedBody } from "./limited-body.ts"

/** A request of Bun.serve as an Exchange, with the same rules as over HTTP/1.1 wherever Bun lets us see enough. */
export function toExchange(request: Request, conn: Connection, limits: Limits): Exchange {
  const authority = authorityOf(request)
  const headers = readHeaders(request, conn.trusted, limits)
  const sent = request.headers.get("host")
  const host = parseHost(authority)
  // RFC 9113, 8.3.1: :authority is what counts; a Host beside it must say the same, or somebody behind us is misled.
  if (host === null || (sent !== null && sent.toLowerCase() !== authority.toLowerCase() && parseHost(sent) !== host)) {
    throw new HttpError(400, "a bad host")
  }
  const head = readHead(request.headers.get(headField) ?? "")
  if (head === null || head.target === null) throw new HttpError(400, "a bad target")
  const { method, target, stream } = head
  const mark = target.indexOf("?")
  // "": `OPTIONS *`, CONNECT.
  const path = normalizePath(mark < 0 ? target : target.slice(0, mark))
  if (path === null && target !== "*") throw new HttpError(400, "a bad path")
  const body = request.body === null ? null : new LimitedBody(request, limits)
  const query = mark < 0 ? "" : target.slice(mark + 1)
  const x = new Exchange(method, target, path ?? "", query, host, headers, "2", conn, new RequestCarrier(request, stream), body, performance.now())
  if (body !== null) body.x = x
  return x
}

/** Of "http://authority/", as Bun puts it together; reading it throws when there is no valid authority. */
function authorityOf(request: Request): string {
  let url: string
  try {
    url = request.url
  } catch {
    throw new HttpError(400, "a bad host")
  }
  const from = url.indexOf("://") + 3
  const slash = url.indexOf("/", from)
  if (from < 3 || slash < 0) throw new HttpError(400, "no authority")
  return url.slice(from, slash)
}

/** Names that only HTTP/1.1 has (RFC 9113, 8.2.2) are malformed here; Bun should have refused them. */
const hopByHop = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"])

function readHeaders(request: Request, trusted: boolean, limits: Limits): HeaderList {
  const flat: string[] = []
  // Bun's own; 0.2 us less than its iterator. Set-Cookie, which would be a list, is no request's.
  const fields = request.headers.toJSON() as Record<string, string>
  for (const name in fields) {
    const value = String(fields[name])
    if (name === headField) continue
    if (hopByHop.has(name)) throw new HttpError(400, "a field of HTTP/1.1")
    const field = fieldOf(name)
    if (field === Field.Forbidden || (!limits.underscores && name.includes("_"))) continue
    if ((!trusted && field === Field.Trust) || (name.charCodeAt(0) === 120 && isForged(name, trusted))) continue
    if (field === Field.Expect && value.toLowerCase() !== "100-continue") throw new HttpError(417, "an unknown expectation")
    if (field === Field.ContentLength && !/^\d{1,15}$/.test(value)) throw new HttpError(400, "a bad Content-Length")
    flat.push(name, value)
  }
  if (limits.underscores) dropTwins(flat)
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
  readonly stream: number
  constructor(request: Request, stream: number) {
    this.#request = request
    this.stream = stream
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
