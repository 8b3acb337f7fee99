import { isIP } from "../../system/ip.ts"
import { HttpError } from "../message/errors.ts"
import type { Exchange } from "../message/exchange.ts"
import { HeaderList } from "../message/headers.ts"
import { normalizePath, encodePath } from "../message/path.ts"
import { Reply } from "../message/reply.ts"
import { ByteStream } from "../message/stream.ts"
import { UpstreamError, type UpstreamFault } from "./error.ts"
import { defaultHead, RequestHead } from "./request-head.ts"
import type { UpstreamTarget } from "./target.ts"
import { HttpUpstream, type HttpUpstreamOptions } from "./upstream.ts"
import { WatchedBody } from "./watched-body.ts"

/** What fetch sends as it is; it turns any other method into GET without a word. */
const methods = new Set("GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH".split(" ").filter(
  method => new Request("https://localhost/", { method }).method === method,
))
/** Of HTTP/1.1 alone, or made by fetch itself. */
const ofConnection = new Set(["host", "connection", "upgrade", "te", "transfer-encoding", "expect", "content-length"])
/** Answers up to it are taken whole: a stream costs more than they do. */
const wholeBytes = 64 * 1024

interface Limits {
  readonly connectMs: number
  readonly headMs: number
  readonly readMs: number
}

/**
 * An https server spoken to in HTTP/2, over the one connection that Bun's fetch keeps to it and shares among requests. What
 * fetch cannot do (upgrades, unusual methods, a GET with a body) goes over HTTP/1.1. Lost on the way: 1xx answers, trailers,
 * and the order and case of fields.
 */
export class Http2Upstream {
  readonly id: string
  weight: number
  active = 0
  down = false
  readonly #h1: HttpUpstream
  readonly #head: RequestHead
  readonly #limits: Limits
  readonly #origin: string
  readonly #via: string
  readonly #tls: object
  readonly #options: HttpUpstreamOptions

  constructor(options: HttpUpstreamOptions) {
    const { target, tls = {}, weight = 1, limits } = options
    if (!target.secure) throw new Error("HTTP/2 upstreams are https: without TLS fetch cannot speak it")
    this.id = target.id
    this.weight = weight
    this.#options = options
    this.#h1 = new HttpUpstream(options)
    this.#head = new RequestHead(target, { ...defaultHead, ...options.head })
    this.#via = options.head?.via ?? ""
    this.#limits = { connectMs: 5000, headMs: 30_000, readMs: 300_000, ...limits }
    const host = target.hostname.includes(":") ? `[${target.hostname}]` : target.hostname
    this.#origin = `https://${host}:${target.port}`
    const serverName = tls.serverName ?? (isIP(target.hostname) === 0 ? target.hostname : undefined)
    this.#tls = {
      ...(tls.ca !== undefined && { ca: tls.ca }),
      ...(tls.cert !== undefined && { cert: tls.cert, key: tls.key }),
      ...(serverName !== undefined && { serverName }),
      rejectUnauthorized: tls.verify ?? true,
    }
  }

  get target(): UpstreamTarget {
    return this.#options.target
  }

  close(): void {
    this.#h1.close()
  }

  /** As HttpUpstream's. */
  readonly send = (x: Exchange): Promise<Reply> => {
    const text = this.#head.write(x)
    if (this.#head.upgrade !== "" || !methods.has(x.method) || (x.body !== null && (x.method === "GET" || x.method === "HEAD"))) return this.#h1.send(x)
    this.active++
    return this.#fetch(x, text)
  }

  async #fetch(x: Exchange, text: string): Promise<Reply> {
    const abort = new AbortController()
    const { signal } = x
    const gone = (): void => abort.abort(new HttpError(499, "the client is gone"))
    signal.addEventListener("abort", gone)
    let late: ReturnType<typeof setTimeout> | undefined
    const wait = (ms: number): void => {
      clearTimeout(late)
      if (ms !== Infinity) late = setTimeout(() => abort.abort(this.#error("head_timeout", "no answer in time")), ms)
    }
    const over = (): void => {
      clearTimeout(late)
      signal.removeEventListener("abort", gone)
      this.active--
    }
    try {
      if (signal.aborted) gone()
      const { connectMs, headMs } = this.#limits
      const sent = x.body === null ? null : new WatchedBody(x.body, { idleMs: Infinity, onOver: () => wait(headMs) })
      if (sent === null) wait(connectMs + headMs)
      const response = await fetch(this.#url(text), {
        method: x.method,
        headers: toHeaders(text),
        body: sent?.readable() ?? null,
        signal: abort.signal,
        redirect: "manual",
        tls: this.#tls,
        // Not in Bun's types.
        ...({ protocol: "http2", decompress: false, duplex: "half", timeout: false } as object),
      } as RequestInit)
      clearTimeout(late)
      return await this.#reply(response, { x, over })
    } catch (error) {
      over()
      throw error instanceof HttpError ? error : this.#explain(error as NodeJS.ErrnoException, abort.signal)
    }
  }

  /** The raw target as far as a URL can have it: dot segments would be resolved by fetch, which is not what others see. */
  #url(head: string): string {
    const target = head.slice(head.indexOf(" ") + 1, head.indexOf(" HTTP/1.1\r\n"))
    if (!/\/\.|%2e/i.test(target)) return this.#origin + target
    const mark = target.indexOf("?")
    const path = normalizePath(mark < 0 ? target : target.slice(0, mark))
    if (path === null) throw new HttpError(400, "a path that cannot be sent on")
    return this.#origin + encodePath(path) + (mark < 0 ? "" : target.slice(mark))
  }

  async #reply(response: Response, { x, over }: { x: Exchange; over(): void }): Promise<Reply> {
    const { status } = response
    const flat: string[] = []
    let length = -1
    for (const [name, value] of response.headers) {
      if (name === "content-length") length = Number(value)
      else if (!ofConnection.has(name)) flat.push(name, value)
    }
    if (this.#via !== "") flat.push("via", `2 ${this.#via}`)
    const headers = new HeaderList(flat)
    if (x.method === "HEAD" || status === 204 || status === 304 || response.body === null || length === 0) {
      if (length > 0 && (x.method === "HEAD" || status === 304)) headers.append("Content-Length", String(length))
      over()
      return new Reply(status, headers)
    }
    if (length > 0 && length <= wholeBytes) {
      const bytes = await response.bytes()
      over()
      return new Reply(status, headers, bytes)
    }
    const body = new WatchedBody(ByteStream.from(response.body, length), { idleMs: this.#limits.readMs, onOver: over })
    return new Reply(status, headers, body)
  }

  #explain(error: NodeJS.ErrnoException, aborted: AbortSignal): HttpError {
    const reason: unknown = aborted.reason
    if (reason instanceof HttpError) return reason
    const why = error.code ?? error.message
    if (why === "HTTP2Unsupported") return this.#error("protocol", "it does not speak HTTP/2", error)
    const unsent = /^(?:ECONNREFUSED|ConnectionRefused|ENOTFOUND|EHOSTUNREACH|ENETUNREACH)$|CERT|SELF_SIGNED|TLS/i.test(String(why))
    return this.#error(unsent ? "connect" : "closed", `${unsent ? "no connection" : "it broke off"}: ${why}`, error)
  }

  #error(fault: UpstreamFault, message: string, cause?: unknown): UpstreamError {
    // Of a body it is not known how much fetch has read.
    return new UpstreamError(fault, message, { upstream: this.id, unsent: fault === "connect", bodyTaken: true, cause })
  }
}

/** The fields of a request head as RequestHead wrote it, for HTTP/2. */
function toHeaders(text: string): [name: string, value: string][] {
  const headers: [string, string][] = []
  let agent = false
  for (const line of text.split("\r\n").slice(1, -2)) {
    const colon = line.indexOf(":")
    const name = line.slice(0, colon).toLowerCase()
    agent ||= name === "user-agent"
    // What Host says becomes :authority; a length that is known is told.
    if (name === "host" || name === "content-length" || !ofConnection.has(name)) headers.push([name, line.slice(colon + 2)])
  }
  if (!agent) headers.push(["user-agent", "edge"])
  return headers
}
