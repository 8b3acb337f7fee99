import { isIP } from "../../system/ip.ts"
import type { Socket } from "bun"
import type { UpstreamConnection } from "./connection.ts"
import type { UpstreamTarget } from "./target.ts"

/** How an https upstream proves itself, and we to it. PEM texts. */
export interface UpstreamTls {
  /** Roots to trust instead of the system's. */
  readonly ca?: string
  /** Our certificate and its key, when the upstream asks for one. */
  readonly cert?: string
  readonly key?: string
  /** Name that its certificate must carry, sent as SNI; default: the host of the target. */
  readonly serverName?: string
  /** False accepts any certificate: for tests only, it lets anybody answer. */
  readonly verify?: boolean
}

type UpstreamSocket = Socket<UpstreamConnection>

const handlers = {
  open(socket: UpstreamSocket) {
    socket.data.attached(socket)
    socket.data.opened()
  },
  data(socket: UpstreamSocket, chunk: Buffer) {
    socket.data.received(chunk)
  },
  drain(socket: UpstreamSocket) {
    socket.data.drained()
  },
  end(socket: UpstreamSocket) {
    socket.data.finished()
  },
  close(socket: UpstreamSocket, error?: Error) {
    socket.data.lost(error)
  },
  error(socket: UpstreamSocket, error: Error) {
    // A throw in one of these handlers: the state of the exchange is unknown, so the connection must not live on.
    socket.data.lost(error)
    socket.terminate()
  },
}

/** With TLS nothing is sent before the handshake proved who answers. */
const secureHandlers = {
  ...handlers,
  open(socket: UpstreamSocket) {
    socket.data.attached(socket)
  },
  handshake(socket: UpstreamSocket, success: boolean, error: Error | null) {
    if (success) socket.data.opened()
    else {
      socket.data.lost(error ?? new Error("the TLS handshake failed"))
      socket.terminate()
    }
  },
}

/** What does not change from one socket to the next. */
type Place = Omit<Bun.TCPSocketConnectOptions<UpstreamConnection>, "socket" | "data">

/** Opens sockets to one upstream. */
export class Connector {
  #place: Place
  #handlers: typeof handlers
  #most: number
  /** Connections under way, also those that nobody waits for any more: Bun cannot break them off. */
  #underWay = 0

  constructor(target: UpstreamTarget, { tls, most }: { tls: UpstreamTls; most: number }) {
    this.#handlers = target.secure ? secureHandlers : handlers
    this.#most = most
    this.#place = { ...place(target, tls), allowHalfOpen: true } as Place
  }

  /** `connection` hears of it by `attached` and `opened`, or by `lost`, perhaps at once. */
  connect(connection: UpstreamConnection): void {
    // A host that drops packets holds each attempt for two minutes in the kernel: it must not use up our descriptors.
    if (this.#underWay >= this.#most) {
      connection.lost(new Error(`${this.#most} connections are being made already`))
      return
    }
    this.#underWay++
    const connectError = (_: unknown, error: Error) => connection.lost(error)
    Bun.connect<UpstreamConnection>({ ...this.#place, data: connection, socket: { ...this.#handlers, connectError } }).then(
      () => this.#underWay--,
      (error: unknown) => {
        this.#underWay--
        // The same error came by connectError, or, for a bad option, comes only here.
        connection.lost(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }
}

function place(target: UpstreamTarget, tls: UpstreamTls): object {
  if (target.unix !== "") return { unix: target.unix }
  const { hostname, port } = target
  if (!target.secure) return { hostname, port }
  // SNI carries names only (RFC 6066, 3); an address is still checked against the certificate.
  const serverName = tls.serverName ?? (isIP(hostname) === 0 ? hostname : "")
  return {
    hostname,
    port,
    tls: {
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key }),
      ...(serverName === "" ? {} : { serverName }),
      rejectUnauthorized: tls.verify ?? true,
    },
  }
}
