/** A client of HTTP/2 that sends what it is told to, byte for byte; over plain TCP (prior knowledge). */
import { Flag, frame, Type } from "../../src/http/server/http2/frame.ts"
import { FrameScanner } from "../../src/http/server/http2/frame-scanner.ts"
import type { FrameHead } from "../../src/http/server/http2/frame.ts"
import { HpackReader, literal, valueOf } from "../../src/http/server/http2/hpack.ts"
import { preface } from "../../src/http/server/http2/preface.ts"

export interface Http2Answer {
  /** 0 when there was none. */
  readonly status: number
  readonly headers: [name: string, value: string][]
  readonly body: string
  /** "end", "reset CODE", "goaway CODE", "closed". */
  readonly end: string
  /** Bytes of each WINDOW_UPDATE for the stream. */
  readonly grants: number[]
}

export interface Http2Ask {
  readonly method?: string
  readonly path: string
  readonly authority?: string
  /** Others, behind those with a colon. */
  readonly headers?: readonly (readonly [string, string])[]
  /** Instead of all of them. */
  readonly block?: Uint8Array
  /** Sent in one DATA frame (up to 16 kB); null for none: END_STREAM with the head. */
  readonly body?: string | null
  /** Frames before the head. */
  readonly before?: readonly Uint8Array[]
  /** Reads on behind the end of an answer until the stream is reset. */
  readonly untilReset?: boolean
  /** Instead of HEADERS and DATA. */
  readonly frames?: readonly Uint8Array[]
}

export function blockOf({ method = "GET", path, authority = "a.test", headers = [] }: Http2Ask): Uint8Array {
  const fields: (readonly [string, string])[] = [[":method", method], [":scheme", "http"], [":path", path], [":authority", authority], ...headers]
  return Buffer.concat(fields.map(([name, value]) => literal(name, value)))
}

class Reader extends FrameScanner {
  status = 0
  headers: [string, string][] = []
  body = ""
  end = ""
  readonly grants: number[] = []
  readonly #hpack = new HpackReader(1 << 20)
  #head: FrameHead | undefined
  #payload: Buffer = Buffer.alloc(0)

  protected begin(head: FrameHead): "take" {
    this.#head = head
    this.#payload = Buffer.alloc(0)
    return "take"
  }
  protected payload(bytes: Uint8Array, ended: boolean): void {
    this.#payload = Buffer.concat([this.#payload, bytes])
    if (!ended) return
    const { type, flags, stream } = this.#head!
    if (type === Type.WindowUpdate && stream > 0) this.grants.push(this.#payload.readUInt32BE(0))
    if (type === Type.Headers) {
      this.#hpack.read(this.#payload, field => {
        if (field.name === ":status") this.status = Number(valueOf(field))
        else this.headers.push([field.name, valueOf(field)])
      })
    } else if (type === Type.Data) this.body += this.#payload.latin1Slice()
    else if (type === Type.Reset) this.end = `reset ${this.#payload.readUInt32BE(0)}`
    else if (type === Type.GoAway) this.end ||= `goaway ${this.#payload.readUInt32BE(4)}`
    if ((type === Type.Headers || type === Type.Data) && (flags & Flag.EndStream) !== 0) this.end ||= "end"
  }
}

/** One request on a connection of its own. */
export async function askHttp2(port: number, ask: Http2Ask): Promise<Http2Answer> {
  const reader = new Reader()
  const { promise, resolve } = Promise.withResolvers<void>()
  const body = ask.body ?? null
  const frames = ask.frames ?? [
    frame({ type: Type.Headers, flags: Flag.EndHeaders | (body === null ? Flag.EndStream : 0), stream: 1 }, ask.block ?? blockOf(ask)),
    ...(body === null ? [] : [frame({ type: Type.Data, flags: Flag.EndStream, stream: 1 }, Buffer.from(body, "latin1"))]),
  ]
  const settings = frame({ type: Type.Settings, flags: 0, stream: 0 }, new Uint8Array(0))
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, chunk) {
        reader.scan(chunk)
        if (ask.untilReset === true ? reader.end.startsWith("reset") : reader.end !== "") resolve()
      },
      close: () => resolve(),
      error: () => resolve(),
    },
  })
  socket.write(Buffer.concat([Buffer.from(preface), settings, ...(ask.before ?? []), ...frames]))
  await promise
  socket.end()
  const { status, headers, end } = reader
  return { status, headers, body: reader.body, end: end || "closed", grants: reader.grants }
}
