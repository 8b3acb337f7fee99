import { readSync } from "node:fs"
import { clock } from "../../../system/clock.ts"
import { validName, validValue } from "../../codec/fields.ts"
import { bodyLength } from "../../message/reply.ts"
import type { FileSlice, Reply } from "../../message/reply.ts"
import { ByteStream } from "../../message/stream.ts"
import { BadReply } from "../http1/reply-head.ts"
import { release } from "../../message/own-replies.ts"
import type { AnswerFacts } from "./server-frames.ts"

/** Told once, when the body has been handed over or was given up. */
export type OnSent = (bytesOut: number, error?: Error) => void

/** The error that is nobody's fault. */
export const clientGone = new Error("the client is gone")

export interface ResponseOptions {
  readonly isHead: boolean
  readonly server: string | undefined
  readonly onSent: OnSent
  /**
   * The body will begin with a zero byte that is not the answer's; false when nobody could take it out again. `onHead` is called
   * when the head has been sent: Bun counts a body that is whole before that, and would count the zero.
   */
  opened?(onHead: () => void): boolean
  onFacts?(facts: AnswerFacts): void
}

/** A Reply as Bun.serve takes it. Throws BadReply for what cannot be sent. */
export function toResponse(reply: Reply, o: ResponseOptions): Response {
  const { status, body } = reply
  if (!Number.isInteger(status) || status < 200 || status > 599) throw new BadReply(`status ${status} cannot be sent`)
  const fields = fieldsOf(reply, o.server)
  const { declared } = fields
  const headers = reply.bornSec === undefined ? fields.headers : withAge(fields.headers, reply.bornSec)
  const length = bodyLength(body)
  const bodiless = o.isHead || status === 204 || status === 205 || status === 304
  if (!bodiless && length >= 0 && declared >= 0 && declared !== length) {
    throw new BadReply(`Content-Length ${declared} but a body of ${length} bytes`)
  }
  if (bodiless) {
    const shown = declared >= 0 || body === null ? declared : length
    release(reply)
    o.onSent(0)
    // Made a 204 again behind Bun, which would give it a Content-Length.
    if (status === 204) {
      o.onFacts?.({ noContent: true, length: -1 })
      return new Response(null, { status: 304, headers })
    }
    return new Response(null, { status, headers: shown >= 0 && (o.isHead || status === 304) ? withLength(headers, shown) : headers })
  }
  // Without a type bytes would get one of Bun's; a stream does not.
  if (body === null || ((typeof body === "string" || body instanceof Uint8Array) && (length === 0 || headers.has("content-type")))) {
    const bytes = typeof body === "string" ? Buffer.from(body) : body
    o.onSent(length)
    return new Response(bytes as BodyInit | null, { status, headers })
  }
  const expected = declared >= 0 ? declared : length
  if (expected >= 0) o.onFacts?.({ noContent: false, length: expected })
  if (typeof body === "string" || body instanceof Uint8Array) {
    o.onSent(length)
    return new Response(wholeStream(typeof body === "string" ? Buffer.from(body) : body), { status, headers })
  }
  const stream = body instanceof ByteStream ? countedStream(body, { expected, onSent: o.onSent, opened: onHead => o.opened?.(onHead) === true }) : fileStream(body, o.onSent)
  return new Response(stream, { status, headers })
}

function withLength(headers: Headers, length: number): Headers {
  const own = new Headers(headers)
  own.set("content-length", String(length))
  return own
}

function withAge(headers: Headers, bornSec: number): Headers {
  const own = new Headers(headers)
  own.set("age", String(Math.max(0, clock.sec - bornSec)))
  return own
}

interface Fields {
  readonly headers: Headers
  /** Content-Length, or -1. */
  readonly declared: number
}

/** Of answers that many exchanges share: making Headers costs 1 us. */
const shared = new WeakMap<readonly string[], Fields>()

/** Date is Bun's to add. */
function fieldsOf(reply: Reply, server: string | undefined): Fields {
  const { flat, changed } = reply.headers
  if (changed) return readFields(flat, server)
  let fields = shared.get(flat)
  if (fields === undefined) shared.set(flat, (fields = readFields(flat, server)))
  return fields
}

/** Of HTTP/1.1 alone; and Bun sends no trailers that could be announced. */
const dropped = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "trailer"])

function readFields(flat: readonly string[], server: string | undefined): Fields {
  const headers = new Headers()
  let declared = -1
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    const value = flat[i + 1]!
    const lower = name.toLowerCase()
    if (dropped.has(lower)) continue
    if (!validName(name) || !validValue(value)) throw new BadReply(`a header that cannot be sent: ${JSON.stringify(name)}`)
    if (lower !== "content-length") headers.append(lower, value)
    else if (declared < 0 && /^\d{1,15}$/.test(value)) declared = Number(value)
    else throw new BadReply(`a bad Content-Length: ${JSON.stringify(value)}`)
  }
  if (server !== undefined && !headers.has("server")) headers.set("server", server)
  return { headers, declared }
}

/** Pulled by Bun as the client takes it; an error resets the stream, so that a short body does not look complete. */
function countedStream(body: ByteStream, o: { expected: number; onSent: OnSent; opened(onHead: () => void): boolean }): ReadableStream<Uint8Array> {
  let sent = 0
  let open = true
  /** The zero is in, and the head not yet sent. */
  let headless = false
  let ended = false
  const close = (error?: Error) => {
    if (!open) return false
    open = false
    o.onSent(sent, error)
    return true
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Bun prints what a stream fails with, and ours is logged: so it gets nothing.
        const fail = (error: Error) => {
          if (close(error)) controller.error(undefined)
        }
        body.pipe({
          data(chunk) {
            if (!open || chunk.byteLength === 0) return
            if (o.expected >= 0 && sent + chunk.byteLength > o.expected) {
              body.cancel()
              return fail(new Error("the body is longer than its Content-Length"))
            }
            sent += chunk.byteLength
            controller.enqueue(chunk)
            if ((controller.desiredSize ?? 0) <= 0) body.pause()
          },
          end() {
            if (o.expected >= 0 && sent < o.expected) return fail(new Error("the body is shorter than its Content-Length"))
            if (!close()) return
            if (headless) ended = true
            else controller.close()
          },
          fail,
        })
        // Bun keeps the head until the first byte of the body, which may be long in coming.
        if (!open || sent > 0) return
        const onHead = (): void => {
          headless = false
          if (ended) controller.close()
        }
        headless = o.opened(onHead)
        if (headless) controller.enqueue(Uint8Array.of(0))
      },
      pull: () => body.resume(),
      cancel() {
        if (close(clientGone)) body.cancel(clientGone)
      },
    },
    { highWaterMark: 1 },
  )
}

function wholeStream(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes)
      controller.close()
    },
  })
}

/** Bytes per read. */
const pieceBytes = 65_536

function fileStream(file: FileSlice, onSent: OnSent): ReadableStream<Uint8Array> {
  let at = file.start
  let open = true
  const close = (error?: Error) => {
    if (!open) return
    open = false
    file.close()
    onSent(at - file.start, error)
  }
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at >= file.end) {
          close()
          return controller.close()
        }
        const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, file.end - at))
        try {
          const size = readSync(file.fd, piece, 0, piece.length, at)
          if (size === 0) throw new Error("the file became shorter while it was sent")
          at += size
          controller.enqueue(piece.subarray(0, size))
        } catch (error) {
          close(error as Error)
          controller.error(undefined)
        }
      },
      cancel: () => close(clientGone),
    },
    { highWaterMark: 1 },
  )
}
