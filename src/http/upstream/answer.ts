import { ChunkedReader } from "../codec/chunked.ts"
import type { ResponseHead, ResponseHeadReader } from "../codec/response-head.ts"
import { HeaderList } from "../message/headers.ts"
import { Reply, type ReplyBody } from "../message/reply.ts"
import { reasonOf } from "../message/status.ts"
import { ResponseBody, type BodySource } from "./response-body.ts"

/** What the reading of an answer tells its call. */
export interface AnswerHost extends BodySource {
  readonly heads: ResponseHeadReader
  /** Bytes of a body that are held for a receiver that waits. */
  readonly holdBytes: number
  /** A 1xx other than 101; the answer proper follows. */
  interim(head: ResponseHead): void
  /** 101: `rest` and all that follows is of another protocol. */
  switched(head: ResponseHead, rest: Buffer): void
  /** The head and, as bytes or as a stream, the body. */
  replied(reply: Reply): void
  /** Some of it came, more is to come. */
  progress(): void
  /** All of it was received; `more`: bytes follow that nobody asked for. */
  completed(more: boolean): void
}

/** The answer to one request as it comes in (RFC 9112, 6.3). What comes at once with its head is given on in one piece. */
export class Answer {
  /** Set when the head was read. */
  head: ResponseHead | null = null
  /** Something came, if only a 1xx or a part of a head. */
  heard = false
  body: ResponseBody | null = null
  #host: AnswerHost
  #isHead: boolean
  /** Start of a head that is not complete. */
  #partial: Buffer | null = null
  #reader: ChunkedReader | null = null
  /** Bytes of body to come; -1 until the upstream closes. */
  #left = 0
  /** Body that came before the reply was given on. */
  #pieces: Buffer[] | null = null
  #stopped = false

  constructor(host: AnswerHost, method: string) {
    this.#host = host
    this.#isHead = method === "HEAD"
  }

  /** The end of the connection is the end of the answer. */
  get untilClose(): boolean {
    return this.head !== null && this.#reader === null && this.#left < 0
  }

  /** Nothing more is read, nobody is told anything. */
  stop(): void {
    this.#stopped = true
    this.#partial = null
  }

  /** Throws when what comes is no answer. */
  read(chunk: Buffer): void {
    this.heard = true
    if (this.head !== null) this.#readBody(chunk, 0)
    else this.#readHead(this.#partial === null ? chunk : Buffer.concat([this.#partial, chunk]))
  }

  /** The upstream closed an answer that goes `untilClose`. */
  end(): void {
    this.#complete(true)
  }

  #readHead(bytes: Buffer): void {
    this.#partial = null
    let at = 0
    while (!this.#stopped) {
      const head = this.#host.heads.read(bytes, at)
      if (head === null) {
        this.#partial = at === 0 ? bytes : bytes.subarray(at)
        return
      }
      at += head.size
      if (head.status === 101) {
        this.head = head
        return this.#host.switched(head, bytes.subarray(at))
      }
      if (head.status >= 200) return this.#begin(head, { bytes, at })
      this.#host.interim(head)
    }
  }

  #begin(head: ResponseHead, { bytes, at }: { bytes: Buffer; at: number }): void {
    this.head = head
    const { status } = head
    if (this.#isHead || status === 204 || status === 304) this.#left = 0
    else if (head.chunked) this.#reader = new ChunkedReader()
    else {
      this.#left = head.contentLength
      if (this.#left > 0 && bytes.length - at >= this.#left) return this.#whole(bytes, at)
    }
    this.#readBody(bytes, at)
    if (this.#stopped) return
    this.body = this.#stream(head.chunked ? -1 : head.contentLength, this.#pieces ?? [])
    this.#pieces = null
    this.#host.replied(this.#reply(this.body))
  }

  /** Head and body in one read, by far the most usual: no piece is kept in between. */
  #whole(bytes: Buffer, at: number): void {
    const end = at + this.#left
    this.#stopped = true
    this.#host.completed(end < bytes.length)
    this.#host.replied(this.#reply(bytes.subarray(at, end)))
  }

  #readBody(bytes: Buffer, from: number): void {
    const reader = this.#reader
    if (reader !== null) {
      const end = reader.read(bytes, from, piece => this.#take(piece))
      if (this.#stopped) return
      if (reader.done) this.#complete(end < bytes.length)
      else this.#host.progress()
      return
    }
    const available = bytes.length - from
    const size = this.#left < 0 ? available : Math.min(available, this.#left)
    if (size > 0) this.#take(from === 0 && size === bytes.length ? bytes : bytes.subarray(from, from + size))
    if (this.#stopped) return
    if (this.#left > 0) this.#left -= size
    if (this.#left === 0) this.#complete(size < available)
    else this.#host.progress()
  }

  #take(piece: Buffer): void {
    if (this.body !== null) this.body.push(piece)
    else (this.#pieces ??= []).push(piece)
  }

  #complete(more: boolean): void {
    this.#stopped = true
    this.#host.completed(more)
    const trailers = this.#reader?.trailers
    if (this.body !== null) return this.body.finish(trailers)
    const pieces = this.#pieces ?? []
    if (trailers === undefined) {
      const body = pieces.length === 0 ? null : pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
      return this.#host.replied(this.#reply(body))
    }
    // Only a stream carries trailers.
    this.body = this.#stream(-1, pieces)
    this.#host.replied(this.#reply(this.body))
    this.body.finish(trailers)
  }

  #stream(length: number, first: Buffer[]): ResponseBody {
    return new ResponseBody(this.#host, { length, first, holdBytes: this.#host.holdBytes })
  }

  #reply(body: ReplyBody): Reply {
    const { status, reason, flat, contentLength } = this.head!
    const reply = new Reply(status, HeaderList.shared(flat), body)
    // Of a HEAD or 304 answer the length is told, without a body that would tell it.
    if (contentLength >= 0 && (this.#isHead || status === 304)) reply.headers.append("Content-Length", String(contentLength))
    if (reason !== reasonOf(status)) reply.reason = reason
    return reply
  }
}
