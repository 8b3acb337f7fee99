import { after, ByteStream, type Context, definePlugin, Exchange, type Handler, HeaderList, HttpUpstream, parseTarget, type Reply, type UpstreamTarget } from "edge"
import type { InferOutput } from "valibot"
import { forwardAuthSchema } from "./schema.ts"

type Options = InferOutput<typeof forwardAuthSchema>

/** Asks another server whether a request may in (Authelia, Authentik, oauth2-proxy, ...). */
export default definePlugin({
  name: "forward_auth",
  kind: "middleware",
  role: "access",
  config: forwardAuthSchema,
  setup: (options, ctx) => {
    const { target, uri } = readTarget(options.to, ctx)
    const upstream = new HttpUpstream({
      target,
      limits: { connectMs: options.connect_timeout, headMs: options.timeout, readMs: options.timeout },
      head: { host: "upstream" },
      onBrokenAnswer: error => ctx.log.warn("the answer about a request broke off", { at: ctx.at, reason: error.message }),
    })
    const asking = new Asking(options, { upstream, uri })
    return { part: next => asking.around(next), stop: () => upstream.close() }
  },
})

/** The path is the whole of what is asked, so it is taken off the target, which would put it before another. */
function readTarget(to: string, ctx: Context): { target: UpstreamTarget; uri: string } {
  const match = /^(https?:\/\/[^/]+|unix:[^:]+)(:?\/.*)?$/i.exec(to)
  const uri = match?.[2]?.replace(/^:/, "") ?? "/"
  try {
    if (match === null || /[^\x21-\x7e]|#/.test(uri)) throw new Error(`"${to}" is not http://HOST:PORT/PATH, https://HOST:PORT/PATH or unix:PATH:/PATH`)
    return { target: parseTarget(match[1]!, path => ctx.resolve(path)), uri }
  } catch (error) {
    throw ctx.fail((error as Error).message, ["to"])
  }
}

/** Of the request's fields, what is about its body or its connection: the question has none. */
const ofBody = new Set(["content-length", "content-type", "content-encoding", "transfer-encoding", "trailer", "expect", "upgrade", "connection", "te", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"])
/** A body that is read to its end so that the connection can be kept; longer ones are cut. */
const DRAIN_BYTES = 65_536

class Asking {
  readonly #upstream: HttpUpstream
  readonly #uri: string
  readonly #copy: readonly (readonly [from: string, to: string])[]
  readonly #answer: readonly string[]
  readonly #send: ReadonlySet<string> | undefined
  readonly #user: string | undefined

  constructor(options: Options, { upstream, uri }: { upstream: HttpUpstream; uri: string }) {
    this.#upstream = upstream
    this.#uri = uri
    this.#copy = options.copy.map(entry => {
      const [from = "", to = from] = entry.split(">")
      return [from, to]
    })
    this.#answer = options.answer
    this.#send = options.send && new Set(["host", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", ...options.send.map(name => name.toLowerCase())])
    this.#user = options.user
  }

  around(next: Handler): Handler {
    return x => this.#upstream.send(this.#question(x)).then(reply => (reply.status >= 200 && reply.status < 300 ? this.#admit(x, { reply, next }) : reply))
  }

  /** A GET of its own: it has no body, takes nothing of the connection but the news that the client is gone. */
  #question(x: Exchange): Exchange {
    const headers = new HeaderList()
    for (const [name, value] of x.headers) {
      const lower = name.toLowerCase()
      if (!ofBody.has(lower) && this.#send?.has(lower) !== false) headers.append(name, value)
    }
    // The latter two as nginx's users configure them for auth_request.
    const said = { "X-Forwarded-Method": x.method, "X-Forwarded-Uri": x.target, "X-Original-Method": x.method, "X-Original-URL": `${x.scheme}://${x.headers.get("host") ?? x.host}${x.target}` }
    for (const [name, value] of Object.entries(said)) {
      headers.deleteAlike(name)
      headers.append(name, value)
    }
    const carrier = { upgrade: () => null, early: () => {}, onAbort: (f: () => void) => x.carrier.onAbort(f) }
    const [path = "/", query = ""] = this.#uri.split(/\?(.*)/s)
    return new Exchange("GET", this.#uri, path, query, x.host, headers, x.httpVersion, x.conn, carrier, null, x.startMs)
  }

  #admit(x: Exchange, { reply, next }: { reply: Reply; next: Handler }): ReturnType<Handler> {
    discard(reply)
    const user = this.#user === undefined ? null : reply.headers.get(this.#user)
    if (user !== null && user !== "") (x.vars ??= new Map()).set("user", user)
    const inner = this.#copy.length === 0 ? x : x.with({ headers: this.#headersFor(x, reply) })
    const extra = this.#answer.flatMap(name => reply.headers.getAll(name).map(value => [name, value] as const))
    if (extra.length === 0) return next(inner)
    const change = (own: Reply): Reply => {
      for (const [name, value] of extra) own.headers.append(name, value)
      return own
    }
    return after(() => next(inner), { change })
  }

  /** The client's own lines go first, also where the answer has none to put in their place. */
  #headersFor(x: Exchange, reply: Reply): HeaderList {
    const headers = HeaderList.from(x.headers)
    for (const [, to] of this.#copy) headers.deleteAlike(to)
    for (const [from, to] of this.#copy) for (const value of reply.headers.getAll(from)) headers.append(to, value)
    return headers
  }
}

function discard({ body }: Reply): void {
  if (!(body instanceof ByteStream)) return
  if (body.length > DRAIN_BYTES) return body.cancel()
  let left = DRAIN_BYTES
  body.pipe({
    data: chunk => {
      left -= chunk.byteLength
      if (left < 0) body.cancel()
    },
    end: () => {},
    fail: () => {},
  })
}
