import type { Socket, TCPSocketListener } from "bun"
import type { Accepted } from "./accepted.ts"
import type { Handler } from "../middleware/chain.ts"
import { ConnectionFacts } from "./connection-facts.ts"
import { ConnectionLimits, refuseConnection } from "./connection-limits.ts"
import { descriptors } from "./descriptors.ts"
import { setForwardedRules } from "../message/exchange.ts"
import type { Exchange, ExchangeEnd } from "../message/exchange.ts"
import { forwardedRules } from "./forwarded.ts"
import { Handshake } from "./handshake.ts"
import { Http1 } from "./http1/connection.ts"
import { Http2 } from "./http2/connection.ts"
import type { Limits } from "./limits.ts"
import { lingerMs, listenPlace } from "./listen-place.ts"
import type { ProtocolHost } from "./protocol-host.ts"
import { ProxiedTls } from "./proxied-tls.ts"
import type { SourceOf } from "./proxied-tls.ts"
import { ProxyPreface } from "./proxy-preface.ts"
import type { Logger } from "../../log/logger.ts"
import { isPlainHttp, sayPlainHttp } from "./plain-http.ts"
import { quickAck, tlsFacts, tlsListening } from "./tls.ts"
import type { TlsOptions, TlsSocket } from "./tls.ts"

/** Where to accept (one of `fd`, `unix`, `hostname` and `port`), and what answers there. */
export interface ListenOptions {
  /** A descriptor that listens already. */
  readonly fd?: number
  readonly hostname?: string
  /** 0: any free one. */
  readonly port?: number
  readonly unix?: string
  /** As written in the config. */
  readonly address: string
  readonly handler: Handler
  readonly limits: Limits
  /** The peer may say who its client is. */
  trusted(peer: string): boolean
  onExchangeEnd?(x: Exchange, end: ExchangeEnd): void
  readonly log: Logger
  readonly tls?: TlsOptions
  /** Certificates that change while it listens, by name (`tlsListening`). */
  findCertificate?(name: string): unknown
  /** Trusted peers are balancers: each connection of theirs begins with a PROXY header. */
  readonly proxyProtocol?: boolean
}

export interface HttpListener {
  readonly port: number
  /** Open now. */
  readonly connections: number
  /** Accepted so far. */
  readonly accepted: number
  /** Accepts no more; every answer from now on says `Connection: close`. */
  stop(): void
  /** `stop`, then waits for what is under way; resolves when no connection is left. */
  drain(o: { graceMs: number; tunnelGraceMs: number }): Promise<void>
  /** Says to WebSockets that they end, and gives them a moment; then `closeNow`. */
  sendClosingAnswers(): Promise<void>
  closeNow(): void
}

/** How often connections that had no request since let go of what they keep. */
const restMs = 5000
/** A client answers the closing of its WebSocket within it, as a rule. */
const closingAnswerMs = 1000
/** A busy client sends its next request until then and is told to close; closing under it would lose that request. */
const lastRequestMs = 1000
/** A connection without a request so far: its first one is probably on its way. */
const firstRequestMs = 3000

export function listen(o: ListenOptions): HttpListener {
  return o.proxyProtocol === true && o.tls !== undefined ? new ProxiedTls(o, inside) : new Listener(o)
}

function inside(o: ListenOptions, sourceOf: SourceOf): Listener {
  return new Listener(o, sourceOf)
}

class Listener implements HttpListener, ProtocolHost {
  readonly handler: Handler
  readonly limits: Limits
  readonly log: Logger
  readonly onExchangeEnd: ((x: Exchange, end: ExchangeEnd) => void) | undefined
  leaving = false
  closingIdle = false
  accepted = 0
  readonly #open = new Set<Socket<Accepted>>()
  readonly #facts: { local: string; secure: boolean; trusted(peer: string): boolean }
  readonly #socket: TCPSocketListener<Accepted>
  readonly #rests: ReturnType<typeof setInterval>
  readonly #proxied: boolean
  readonly #sourceOf: SourceOf
  readonly #connectionLimits: ConnectionLimits | undefined
  readonly #descriptors = descriptors()
  #emptied: (() => void) | undefined

  constructor(o: ListenOptions, sourceOf?: SourceOf) {
    // One front has one list of trusted proxies.
    setForwardedRules(forwardedRules(o.trusted))
    this.handler = o.handler
    this.limits = o.limits
    this.log = o.log
    this.onExchangeEnd = o.onExchangeEnd
    this.#proxied = o.proxyProtocol === true
    this.#sourceOf = sourceOf ?? (() => null)
    // Behind a door all come from it, and were counted there.
    this.#connectionLimits = sourceOf === undefined ? ConnectionLimits.of(o.limits, { log: o.log, local: o.address }) : undefined
    this.#facts = { local: o.address, secure: o.tls !== undefined, trusted: o.trusted }
    const { tls, ...named } = o.tls === undefined ? {} : tlsListening(o.tls, o.findCertificate)
    const socket = { ...this.#handlers(), ...(tls !== undefined && { open: this.#openTls, handshake: this.#handshake, ...named }) }
    this.#descriptors.join(this.#open)
    this.#rests = setInterval(() => this.#rest(), restMs)
    this.#rests.unref()
    this.#socket = Bun.listen({ ...listenPlace(o), ...(tls !== undefined && { tls }), allowHalfOpen: true, socket } as never)
  }

  #handlers(): object {
    return {
      open: (socket: Socket<Accepted>) => {
        this.accepted++
        if (!this.#descriptors.enter(socket, this.log)) return refuseConnection(socket)
        const facts = new ConnectionFacts(socket, this.#facts)
        if (this.#connectionLimits?.enter(socket, { peer: facts.peer, exempt: facts.trusted }) === false) return refuseConnection(socket)
        if (this.#proxied && facts.trusted) this.#awaitSource(socket)
        else this.#speak(socket, facts)
        this.#open.add(socket)
      },
      data: (socket: Socket<Accepted>, chunk: Buffer) => socket.data.data(chunk),
      drain: (socket: Socket<Accepted>) => socket.data.drain(),
      end: (socket: Socket<Accepted>) => socket.data.end(),
      close: (socket: Socket<Accepted>) => this.#closed(socket),
      // Bun reports what our own handlers throw here, and leaves the socket open.
      error: (socket: Socket<Accepted>, error: Error) => {
        this.log.error("a connection failed", { error })
        socket.terminate()
      },
    }
  }

  #speak(socket: Socket<Accepted>, facts: ConnectionFacts): void {
    socket.data = new Http1(socket, facts, this, this.#toHttp2)
  }

  #awaitSource(socket: Socket<Accepted>): void {
    socket.data = new ProxyPreface(socket, {
      timeoutMs: this.limits.headTimeoutMs,
      onSource: (source, rest) => {
        this.#speak(socket, new ConnectionFacts(socket, this.#facts, source))
        if (rest.length > 0) socket.data.data(rest)
      },
      onRefused: why => this.log.warn("a trusted peer was refused", { why, peer: socket.remoteAddress }),
    })
  }

  /** Before the handshake: without a handshake handler it would be behind it, and who is in the middle not be seen. */
  #openTls = (socket: Socket<Accepted>): void => {
    this.accepted++
    if (!this.#descriptors.enter(socket, this.log)) return refuseConnection(socket)
    if (this.#connectionLimits !== undefined) {
      const { peer, trusted } = new ConnectionFacts(socket, this.#facts)
      if (!this.#connectionLimits.enter(socket, { peer, exempt: trusted })) return refuseConnection(socket)
    }
    socket.data = new Handshake(socket as unknown as TlsSocket, this.limits.headTimeoutMs)
    this.#open.add(socket)
  }

  #handshake = (socket: Socket<Accepted>, success: boolean, error: Error | null): void => {
    if (!(socket.data instanceof Handshake)) return
    if (!success) return isPlainHttp(error) ? sayPlainHttp(socket as unknown as TlsSocket) : socket.data.destroy()
    socket.data.gone()
    quickAck(socket as unknown as TlsSocket)
    const source = this.#sourceOf(socket)
    if (source === undefined) return void socket.terminate()
    const facts = new ConnectionFacts(socket, this.#facts, source)
    facts.tls = tlsFacts(socket as unknown as TlsSocket)
    socket.data = facts.tls.alpn === "h2" ? new Http2(socket, facts, this) : new Http1(socket, facts, this)
  }

  /** HTTP/2 with prior knowledge on a plain connection (RFC 9113, 3.3). */
  readonly #toHttp2 = (plain: Socket<unknown>, { facts, chunk }: { facts: ConnectionFacts; chunk: Buffer }): void => {
    const socket = plain as Socket<Accepted>
    socket.data.gone()
    socket.data = new Http2(socket, facts, this)
    socket.data.data(chunk)
  }

  get port(): number {
    return this.#socket.port
  }

  get connections(): number {
    return this.#open.size
  }

  stop(): void {
    this.leaving = true
    this.#socket.stop(false)
  }

  async drain(o: { graceMs: number; tunnelGraceMs: number }): Promise<void> {
    this.stop()
    const start = performance.now()
    const passed = () => performance.now() - start
    await Bun.sleep(lingerMs)
    // Not a reload but the end: a WebSocket would only hold it up.
    if (o.tunnelGraceMs === 0) void this.#sayServerClosing()
    const step = async (untilMs: number) => {
      if (this.#open.size > 0 && passed() < untilMs) await Promise.race([this.#empty(), Bun.sleep(untilMs - passed())])
    }
    await step(Math.min(o.graceMs, lastRequestMs))
    this.closingIdle = true
    for (const { data } of this.#open) if (data.requests > 0) data.leave()
    await step(Math.min(o.graceMs, firstRequestMs))
    for (const { data } of this.#open) data.leave()
    await step(o.graceMs)
    for (const { data } of this.#open) if (!data.long) data.destroy()
    await step(o.tunnelGraceMs)
    await this.sendClosingAnswers()
  }

  async sendClosingAnswers(): Promise<void> {
    if (this.#sayServerClosing()) await Promise.race([this.#empty(), Bun.sleep(closingAnswerMs)])
    this.closeNow()
  }

  /** Thousands of idle connections would each keep the head of their last request: half of what they cost. */
  #rest(): void {
    for (const { data } of this.#open) data.rest?.()
  }

  /** True when somebody was there to hear it. */
  #sayServerClosing(): boolean {
    let heard = false
    for (const { data } of this.#open) {
      data.serverClosing?.()
      heard ||= data.long
    }
    return heard
  }

  closeNow(): void {
    this.leaving = true
    clearInterval(this.#rests)
    this.#descriptors.leave(this.#open)
    this.#socket.stop(false)
    for (const { data } of this.#open) data.destroy()
  }

  #closed(socket: Socket<Accepted>): void {
    this.#open.delete(socket)
    this.#connectionLimits?.leave(socket)
    socket.data.gone()
    if (this.#open.size === 0) this.#emptied?.()
  }

  #empty(): Promise<void> {
    return new Promise(resolve => (this.#emptied = resolve))
  }
}
