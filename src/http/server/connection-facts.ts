import type { ProxySource } from "../codec/proxy-protocol.ts"
import type { Connection, TlsFacts } from "../message/exchange.ts"

/** The parts of a Bun socket that say who is there. */
export interface AddressedSocket {
  readonly remoteAddress: string
  readonly remotePort: number
}

export interface FactsOptions {
  readonly local: string
  readonly secure: boolean
  trusted(peer: string): boolean
}

/** Who is on the other end of an accepted socket. */
export class ConnectionFacts implements Connection {
  readonly peer: string
  readonly local: string
  readonly secure: boolean
  readonly trusted: boolean
  tls: TlsFacts | undefined
  readonly #socket: AddressedSocket
  #port = -1

  /** `source`: who a balancer in front of us speaks for. */
  constructor(socket: AddressedSocket, o: FactsOptions, source: ProxySource | null = null) {
    this.#socket = socket
    this.peer = source?.address ?? peerName(socket, o.local)
    if (source !== null) this.#port = source.port
    this.local = o.local
    this.secure = o.secure
    this.trusted = o.trusted(this.peer)
    this.tls = undefined
  }

  /** 400 ns in Bun: asked for when first needed. */
  get peerPort(): number {
    if (this.#port < 0) this.#port = this.peer === "unix" ? 0 : (this.#socket.remotePort ?? 0)
    return this.#port
  }
}

function peerName(socket: AddressedSocket, local: string): string {
  if (local.startsWith("unix:")) return "unix"
  const address = socket.remoteAddress ?? ""
  // A dual-stack listener shows IPv4 peers as mapped addresses; lists of trusted proxies name them as they are.
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
}
