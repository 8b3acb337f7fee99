import type { Awaitable, Encoding, Exchange, HeaderList, Prepared, Reply } from "edge"
import { after, ByteStream, definePlugin, encodingPicker, isHot, PartsStream, rehead } from "edge"
import { compressSchema } from "./schema.ts"
import { addVary, encodeHead, forbids, isEligible, isGuess, type Rules, typeTest, weaken } from "./eligible.ts"
import { EncodedStream } from "./encoded-stream.ts"
import { encode, flushKind, type Levels, toEncoder } from "./encoders.ts"
import { HotAnswers } from "./hot.ts"

/** Compresses answers for clients that take it. */
export default definePlugin({
  name: "compress",
  kind: "middleware",
  config: compressSchema,
  setup: config => {
    const rules = { isType: typeTest(config.types), minSize: config.min_size, signed: config.signed }
    const picker = encodingPicker(config.encodings)
    const pick = (x: Exchange) => (forbids(x.headers) ? "" : picker(x.headers.get("accept-encoding")))
    const hot = new HotAnswers({ rules, levels: config.hot_level, maxBytes: config.cache, pick })
    const compress = toCompress({ rules, hot, levels: config.level, pick })
    return { part: next => x => after(() => next(x), { change: reply => compress(x, reply) }) }
  },
})

interface Parts {
  readonly rules: Rules
  readonly hot: HotAnswers
  readonly levels: Levels
  pick(x: Exchange): Encoding | ""
}

function toCompress({ rules, hot, levels, pick }: Parts): (x: Exchange, reply: Reply) => Awaitable<Reply> {
  const known = new WeakMap<object, Prepared>()
  const plain = new WeakMap<object, Prepared>()

  return (x, reply) => {
    if (reply.status === 304) {
      if (holdsWeak(x, reply)) return rehead(reply, { change: weakenHead, known })
      return holdsPlain(x, reply) && pick(x) !== "" ? reply : rehead(reply, { change: addVary, known: plain })
    }
    if (isHot(reply) && !(reply.body === null && x.method === "HEAD")) return hot.answer(x, reply)
    if (!isEligible(reply, rules, x.method === "HEAD")) return reply
    const encoding = pick(x)
    const { body } = reply
    const streamed = !(typeof body === "string" || body instanceof Uint8Array)
    if (encoding === "" || isGuess(x)) {
      addVary(reply.headers)
      return reply
    }
    if (streamed && x.method === "HEAD") return headOnly(reply, encoding)
    if (streamed) return stream(reply, { encoding, levels })
    const bytes = typeof body === "string" ? Buffer.from(body) : (body as Uint8Array)
    const encoded = encode(bytes, { encoding, levels })
    const done = (out: Uint8Array) => replace(reply, { encoding, out, size: bytes.byteLength })
    return encoded instanceof Promise ? encoded.then(done) : done(encoded)
  }
}

/** What GET would say, but for the length, which is known only of a whole body (RFC 9110 9.3.2). */
function headOnly(reply: Reply, encoding: Encoding): Reply {
  const { body } = reply
  if (body instanceof ByteStream) body.cancel()
  else if (body !== null && typeof body === "object" && "close" in body) body.close()
  encodeHead(reply.headers, encoding)
  reply.body = null
  return reply
}

function replace(reply: Reply, { encoding, out, size }: { encoding: Encoding; out: Uint8Array; size: number }): Reply {
  if (out.byteLength >= size) {
    addVary(reply.headers)
    return reply
  }
  encodeHead(reply.headers, encoding)
  reply.body = out
  return reply
}

function stream(reply: Reply, { encoding, levels }: { encoding: Encoding; levels: Levels }): Reply {
  const { body } = reply
  const live = body instanceof ByteStream
  const source = live ? body : new PartsStream([body as Exclude<typeof body, null | string>], () => (body as { close(): void }).close())
  encodeHead(reply.headers, encoding)
  reply.body = new EncodedStream(source, { encoder: toEncoder(encoding, levels), flush: flushKind[encoding], live })
  return reply
}

/**
 * A client that shows the weakened tag holds the compressed form; a 304 with the strong tag would not match what it
 * holds (RFC 9111 4.3.4).
 */
function holdsWeak(x: Exchange, reply: Reply): boolean {
  const etag = reply.headers.get("etag")
  return etag !== null && etag.startsWith('"') && x.headers.get("if-none-match")?.includes(`W/${etag}`) === true
}

/**
 * It shows the tag as it came. If it takes codings too, what it holds was none to be compressed; else nobody knows, and a Vary too
 * many costs less than one too few (RFC 9110 15.4.5: a 304 has the Vary of its 200).
 */
function holdsPlain(x: Exchange, reply: Reply): boolean {
  const etag = reply.headers.get("etag")
  const held = x.headers.get("if-none-match")
  return etag !== null && held !== null && held.includes(etag) && !held.includes(`W/${etag}`)
}

function weakenHead(headers: HeaderList): void {
  weaken(headers)
  addVary(headers)
}
