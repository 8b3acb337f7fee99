/**
 * WebSockets of a TypeScript app: a Bun.serve on a private unix socket frames them natively, and the front tunnels the
 * client's bytes to it. The socket lies in a folder that only this user (and the fronts' group) may enter.
 */
import { chmodSync } from "node:fs"
import { AppServer, Facts } from "./facts.ts"
import { encodeRequestHead } from "../frames/heads.ts"
import type { Exchange } from "../http/message/exchange.ts"
import { HeaderList } from "../http/message/headers.ts"
import type { Reply } from "../http/message/reply.ts"
import { HttpUpstream } from "../http/upstream/upstream.ts"
import type { AppModule } from "../contract/framework.ts"

/** Carries what the front knows of the client; set by the front on every request, so that no client can. */
const factsHeader = "edge-facts"

export interface AppSocketsOptions {
  readonly module: AppModule
  /** Where to listen. */
  readonly path: string
  onError(error: unknown, request: Request): void
  later(promise: Promise<unknown>): void
}

export class AppSockets {
  readonly path: string
  readonly server: AppServer
  readonly #server: Bun.Server<unknown>

  constructor(options: AppSocketsOptions) {
    this.path = options.path
    let app: AppServer | undefined
    this.#server = Bun.serve({
      unix: options.path,
      development: false,
      idleTimeout: 0,
      fetch: (request: Request) => {
        const facts = readFacts(request)
        return options.module.fetch(request, new Facts(facts, { server: app!, request, later: options.later }))
      },
      error: (error: Error) => {
        options.onError(error, new Request("http://app/"))
        return new Response("Internal Server Error\n", { status: 500 })
      },
      websocket: options.module.websocket as never,
    } as never)
    this.server = app = new AppServer(this.#server)
    // Of the folder's guests, fronts of another user connect too.
    chmodSync(options.path, 0o666)
  }

  /** WebSockets that are open. */
  get open(): number {
    return this.#server.pendingWebSockets
  }

  stop(): void {
    void this.#server.stop(true)
  }
}

/** The front's way to AppSockets and to those of Python workers: the upgrade is answered by the app, then bytes flow both ways. */
export class SocketRoad {
  readonly #upstream: HttpUpstream
  readonly #head: boolean

  /** `head`: the worker is sent the head of a REQUEST frame in place of the client's fields. */
  constructor(path: string, options: { timeoutMs?: number; head?: boolean } = {}) {
    const target = { id: `unix:${path}`, hostname: "", port: 0, unix: path, secure: false, prefix: "", authority: "localhost" }
    this.#head = options.head ?? false
    // One connection per WebSocket: nothing is kept, so that a closed worker is seen at once.
    this.#upstream = new HttpUpstream({ target, keepIdle: 0, limits: { headMs: options.timeoutMs || Infinity } })
  }

  /** `over` is called once, when the WebSocket is closed or was refused. */
  send(x: Exchange, over?: () => void): Promise<Reply> {
    return this.#upstream.send(x.with({ headers: this.#head ? headOf(x) : factsOf(x) }), over)
  }

  get active(): number {
    return this.#upstream.active
  }

  close(): void {
    this.#upstream.close()
  }
}

/**
 * Does the client ask for a WebSocket (RFC 6455, 4.1)? Upgrade counts only where Connection names it (RFC 9110, 7.8), and
 * with a body in front of it there is none: what has no place for one is a request like any other.
 */
export function wantsWebSocket(x: Exchange): boolean {
  if (x.method !== "GET" || x.httpVersion !== "1.1" || x.body !== null) return false
  if (x.headers.get("upgrade")?.toLowerCase() !== "websocket") return false
  return x.headers.get("connection")?.toLowerCase().split(",").some(option => option.trim() === "upgrade") === true
}

function factsOf(x: Exchange): HeaderList {
  const headers = HeaderList.from(x.headers)
  headers.set(factsHeader, JSON.stringify([x.ip, x.conn.peerPort, x.scheme, x.prefix]).replace(/[^\x20-\x7e]/g, escapeWide))
  return headers
}

/** Nothing of the client's beside it: the worker reads this one field. */
function headOf(x: Exchange): HeaderList {
  const head = encodeRequestHead(x)
  const bytes = Buffer.allocUnsafe(head.length)
  head.write(bytes, 0)
  return HeaderList.shared(["Connection", "Upgrade", "Upgrade", "websocket", "Edge-Head", bytes.toString("base64")])
}

function escapeWide(c: string): string {
  return `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`
}

function readFacts(request: Request): ConstructorParameters<typeof Facts>[0] {
  const text = request.headers.get(factsHeader)
  request.headers.delete(factsHeader)
  if (text === null) return { ip: "unix", scheme: "http", prefix: "", conn: { peerPort: 0 } }
  const [ip, peerPort, scheme, prefix] = JSON.parse(text) as [string, number, "http" | "https", string]
  return { ip, scheme, prefix, conn: { peerPort } }
}
