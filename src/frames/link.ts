/** One end of a frames connection: greeting, pings, errors and the socket, alike for fronts and workers. */
import type { Socket } from "bun"
import { ERROR, FrameError, FrameReader, FrameWriter, HELLO, PING, PONG, textOf } from "./codec.ts"
import type { Frame } from "./codec.ts"
import type { BodyLink } from "./flow.ts"

export const protocolVersion = 1

/** Payload of HELLO. */
export interface Hello {
  readonly version: number
  readonly role: "front" | "supervisor" | "worker"
  readonly name: string
  readonly pid?: number
  readonly concurrency?: number
  /** Unix socket that takes WebSockets as raw HTTP upgrades. */
  readonly ws?: string
  /** There it wants the head of a REQUEST frame, in the field edge-head (base64). */
  readonly head?: boolean
  /** It takes WebSockets as MESSAGE frames. */
  readonly messages?: boolean
}

/** Who uses the link. Called in order; nothing comes after `closed`. */
export interface LinkOwner {
  hello(hello: Hello): void
  /** Every frame that is not about the connection itself, and STACK and DRAIN. */
  frame(frame: Frame): void
  /** `depth`: exchanges that the peer has, when it is a worker. */
  pong(payload: Buffer, depth: number): void
  /** The connection is gone; `error` when it did not end as the protocol says. */
  closed(error: Error | undefined): void
}

export class Link implements BodyLink {
  readonly writer: FrameWriter
  readonly #socket: Socket<Link>
  readonly #owner: LinkOwner
  readonly #reader = new FrameReader(frame => this.#frame(frame))
  #greeted = false
  #closed = false
  #blocked: { unblock(): void }[] = []

  constructor(socket: Socket<Link>, owner: LinkOwner) {
    this.#socket = socket
    this.#owner = owner
    this.writer = new FrameWriter(socket)
  }

  /** Takes bytes from the socket. */
  data(chunk: Buffer): void {
    if (this.#closed) return
    try {
      this.#reader.push(chunk)
    } catch (error) {
      this.abort(error as Error)
    }
  }

  drain(): void {
    this.writer.drain()
    if (this.#blocked.length === 0 || this.writer.congested) return
    const blocked = this.#blocked
    this.#blocked = []
    for (const body of blocked) body.unblock()
  }

  whenDrained(body: { unblock(): void }): void {
    this.#blocked.push(body)
  }

  greet(hello: Omit<Hello, "version">): void {
    this.writer.frame(HELLO, { payload: Buffer.from(JSON.stringify({ version: protocolVersion, ...hello })) })
    this.writer.flush()
  }

  /** Says why, closes, and tells the owner. */
  abort(error: Error): void {
    if (this.#closed) return
    this.writer.frame(ERROR, { payload: Buffer.from(error.message).subarray(0, 1024), end: true })
    this.#finish(error)
  }

  /** Ends the connection after what was written. */
  close(): void {
    this.#finish(undefined)
  }

  /** The socket is gone by itself. */
  lost(error?: Error): void {
    this.#finish(error ?? new Error("connection closed"))
  }

  #finish(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#blocked = []
    this.writer.flush()
    this.writer.close()
    this.#socket.end()
    this.#owner.closed(error)
  }

  #frame(frame: Frame): void {
    if (this.#closed) return
    if (!this.#greeted) return this.#hello(frame)
    switch (frame.type) {
      case HELLO:
        throw new FrameError("a second HELLO")
      case PING:
        this.writer.frame(PONG, { payload: frame.bytes.subarray(frame.start, frame.stop) })
        return
      case PONG:
        return this.#owner.pong(frame.bytes.subarray(frame.start, frame.stop), frame.depth)
      case ERROR:
        if (frame.id === 0) {
          return this.#finish(new Error(`the peer gave up: ${textOf(frame)}`))
        }
    }
    this.#owner.frame(frame)
  }

  #hello(frame: Frame): void {
    if (frame.type === ERROR && frame.id === 0) {
      return this.#finish(new Error(`the peer gave up: ${textOf(frame)}`))
    }
    if (frame.type !== HELLO) throw new FrameError("the first frame is not HELLO")
    const hello = parseHello(textOf(frame))
    this.#greeted = true
    this.#owner.hello(hello)
  }
}

function parseHello(text: string): Hello {
  let hello: Partial<Hello> | null
  try {
    hello = JSON.parse(text) as Partial<Hello> | null
  } catch {
    throw new FrameError("HELLO is not JSON")
  }
  if (typeof hello !== "object" || hello === null) throw new FrameError("HELLO is not an object")
  if (hello.version !== protocolVersion) throw new FrameError(`protocol version ${hello.version} is not spoken here`)
  if (hello.role !== "front" && hello.role !== "supervisor" && hello.role !== "worker") {
    throw new FrameError("HELLO has no role")
  }
  return { ...hello, name: String(hello.name ?? "") } as Hello
}

/** Handlers for Bun.connect and Bun.listen; the socket's `data` is its Link. */
export const linkHandlers = {
  binaryType: "buffer",
  data: (socket: Socket<Link>, chunk: Buffer) => socket.data.data(chunk),
  drain: (socket: Socket<Link>) => socket.data?.drain(),
  end: (socket: Socket<Link>) => socket.data?.lost(),
  close: (socket: Socket<Link>, error?: Error) => socket.data?.lost(error),
  error: (socket: Socket<Link>, error: Error) => socket.data?.abort(error),
} as const

