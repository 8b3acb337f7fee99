import { isIP } from "../../ip.ts"
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

/** Opens a socket for `connection`, which hears of it by `opened` or `lost`. */
export function connect(connection: UpstreamConnection, { target, tls }: { target: UpstreamTarget; tls: UpstreamTls }): void {
  const connectError = (_: unknown, error: Error) => connection.lost(error)
  // SNI carries names only (RFC 6066, 3); an address is still checked against the certificate.
  const name = tls.serverName ?? (isIP(target.hostname) === 0 ? target.hostname : "")
  const common = { data: connection, allowHalfOpen: true }
  const opening =
    target.unix !== ""
      ? Bun.connect<UpstreamConnection>({ ...common, unix: target.unix, socket: { ...handlers, connectError } })
      : target.secure
        ? Bun.connect<UpstreamConnection>({
            ...common,
            hostname: target.hostname,
            port: target.port,
            socket: { ...secureHandlers, connectError },
            tls: {
              ...(tls.ca === undefined ? {} : { ca: tls.ca }),
              ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key ?? tls.cert }),
              ...(name === "" ? {} : { serverName: name }),
              rejectUnauthorized: tls.verify ?? true,
            },
          })
        : Bun.connect<UpstreamConnection>({
            ...common,
            hostname: target.hostname,
            port: target.port,
            socket: { ...handlers, connectError },
          })
  // The same error came by connectError, or, for a bad option, comes only here.
  opening.catch((error: unknown) => connection.lost(error instanceof Error ? error : new Error(String(error))))
}
