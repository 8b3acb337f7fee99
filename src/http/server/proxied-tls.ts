import type { Socket, TCPSocketListener } from "bun"
import type { Accepted } from "./accepted.ts"
import type { ProxySource } from "../codec/proxy-protocol.ts"
import { ConnectionFacts } from "./connection-facts.ts"
import { ConnectionLimits, refuseConnection } from "./connection-limits.ts"
import { descriptors } from "./descriptors.ts"
import { lingerMs, listenPlace } from "./listen-place.ts"
import type { HttpListener, ListenOptions } from "./listener.ts"
import { ProxyPreface } from "./proxy-preface.ts"
import { Splice } from "./splice.ts"
import type { Logger } from "../../log/logger.ts"

/** Who a connection of that socket is of; undefined: nobody that we know, and it is closed. */
export type SourceOf = (socket: Socket<Accepted>) => ProxySource | null | undefined

/** A listener of which the other half may say that it leaves. */
interface Inner extends HttpListener {
  leaving: boolean
}

/**
 * TLS behind the PROXY protocol: its header comes before the handshake, and Bun has no way to begin TLS on an accepted
 * socket. So a plain door reads it and hands the bytes on to a listener inside, which finds the client by the door's port.
 */
export class ProxiedTls implements HttpListener {
  readonly #inner: Inner
  readonly #door: TCPSocketListener<Accepted>
  readonly #log: Logger
  /** Port of the door's own socket to the inside -> who came in. */
  readonly #sources = new Map<number, ProxySource>()
  readonly #waiting = new Set<Socket<Accepted>>()
  readonly #connectionLimits: ConnectionLimits | undefined

  constructor(o: ListenOptions, inside: (o: ListenOptions, sourceOf: SourceOf) => Inner) {
    const { fd: _fd, unix: _unix, ...rest } = o
    this.#log = o.log
    this.#connectionLimits = ConnectionLimits.of(o.limits, { log: o.log, local: o.address })
    const take = ({ remotePort }: Socket<Accepted>): ProxySource | undefined => {
      const source = this.#sources.get(remotePort)
      this.#sources.delete(remotePort)
      return source
    }
    this.#inner = inside({ ...rest, hostname: "127.0.0.1", port: 0, proxyProtocol: false }, take)
    const open = (socket: Socket<Accepted>): void => {
      if (!descriptors().enter(socket, o.log)) return refuseConnection(socket)
      const facts = new ConnectionFacts(socket, { local: o.address, secure: true, trusted: o.trusted })
      if (this.#connectionLimits?.enter(socket, { peer: facts.peer, exempt: facts.trusted }) === false) return refuseConnection(socket)
      this.#waiting.add(socket)
      const own = { address: facts.peer, port: facts.peerPort }
      if (!facts.trusted) return this.#handOn(socket, { source: own, rest: Buffer.alloc(0) })
      socket.data = new ProxyPreface(socket, {
        timeoutMs: o.limits.headTimeoutMs,
        onSource: (source, bytes) => this.#handOn(socket, { source: source ?? own, rest: bytes }),
        onRefused: why => o.log.warn("a trusted peer was refused", { why, peer: facts.peer }),
      })
    }
    this.#door = Bun.listen({ ...listenPlace(o), allowHalfOpen: true, socket: { ...this.#handlers(), open } } as never)
  }

  #handlers(): object {
    return {
      data: (socket: Socket<Accepted>, chunk: Buffer) => socket.data.data(chunk),
      drain: (socket: Socket<Accepted>) => socket.data.drain(),
      end: (socket: Socket<Accepted>) => socket.data.end(),
      close: (socket: Socket<Accepted>) => {
        this.#waiting.delete(socket)
        this.#connectionLimits?.leave(socket)
        socket.data.gone()
      },
      error: (socket: Socket<Accepted>, error: Error) => {
        this.#log.error("a connection failed", { error })
        socket.terminate()
      },
    }
  }

  #handOn(socket: Socket<Accepted>, { source, rest }: { source: ProxySource; rest: Buffer }): void {
    let port = -1
    socket.data = new Splice(socket, {
      port: this.#inner.port,
      first: rest,
      onInner: inner => {
        this.#waiting.delete(socket)
        port = inner.localPort
        this.#sources.set(port, source)
      },
      // The inside takes it at the end of its handshake, which may never come.
      onGone: () => this.#sources.delete(port),
    })
  }

  get port(): number {
    return this.#door.port
  }

  get connections(): number {
    return this.#inner.connections + this.#waiting.size
  }

  get accepted(): number {
    return this.#inner.accepted
  }

  /** The inside goes on taking what the door has let in. */
  stop(): void {
    this.#inner.leaving = true
    this.#door.stop(false)
  }

  async drain(o: { graceMs: number; tunnelGraceMs: number }): Promise<void> {
    this.stop()
    await Bun.sleep(lingerMs)
    await this.#inner.drain(o)
    this.closeNow()
  }

  async sendClosingAnswers(): Promise<void> {
    this.#door.stop(false)
    await this.#inner.sendClosingAnswers()
    this.closeNow()
  }

  closeNow(): void {
    this.#door.stop(false)
    this.#inner.closeNow()
    for (const socket of this.#waiting) socket.terminate()
  }
}
