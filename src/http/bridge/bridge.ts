/**
 * Between the road's currency and the standard one: Exchange -> Request, Response -> Reply. Importing it registers both;
 * `patchGlobals` makes them cheap for apps.
 */
import { setResponseBridge } from "../middleware/chain.ts"
import type { Awaitable } from "../middleware/chain.ts"
import { isHopByHop, saysClose } from "../codec/hop.ts"
import { setRequestBridge } from "../message/exchange.ts"
import { HeaderList } from "../message/headers.ts"
import { KnownResponse, usedTwice } from "./known-response.ts"
import { LazyRequest, lazyRequest, toNativeRequest } from "./lazy-request.ts"
import { Reply } from "../message/reply.ts"
import { ByteStream } from "../message/stream.ts"

const NativeRequest = globalThis.Request
const NativeResponse = globalThis.Response
const nativeFetch = globalThis.fetch

setRequestBridge(lazyRequest)
setResponseBridge(response => toReply(response))

/** Answers of fetch whose body is still encoded as their Content-Encoding says. */
const encoded = new WeakSet<Response>()

/**
 * Takes status, headers and body as they are now. Synchronous for text, JSON, redirects and empty bodies. `dropped` is told the
 * name of each field that belongs to the connection, in lower case: it is left out.
 */
export function toReply(response: Response, dropped?: (name: string) => void): Awaitable<Reply> {
  if (!(response instanceof NativeResponse)) throw new TypeError(`expected a Response, got ${describe(response)}`)
  if (response.bodyUsed) throw usedTwice()
  const text = KnownResponse.take(response)
  if (typeof text === "string" && KnownResponse.isBare(response)) {
    return new Reply(200, HeaderList.shared(plainText), text)
  }
  const { status } = response
  if (status < 200 || status > 599) throw new TypeError(`a Response with status ${status} cannot be sent`)
  const bodiless = status === 204 || status === 205 || status === 304
  const reply = new Reply(status, listOf(response, { text: typeof text === "string" && !bodiless, dropped }))
  // Of fetch's answer it was the other server's word about another connection.
  if (closing && response.url === "") reply.closes = true
  const { statusText } = response
  if (statusText !== "") reply.reason = statusText
  if (bodiless) {
    if (text === undefined) void response.body?.cancel().catch(() => {})
    return reply
  }
  if (text === undefined) return withBody(reply, response)
  if (text !== null) reply.body = text
  return reply
}

const plainText = ["content-type", "text/plain;charset=utf-8"]

/** A body that is bytes, a Blob, a file, a form or a stream. */
function withBody(reply: Reply, response: Response): Awaitable<Reply> {
  const { headers } = reply
  const stream = response.body
  if (stream === null) return reply
  if (stream.locked) throw usedTwice()
  const given = headers.get("content-length")
  headers.delete("content-length")
  const whole = KnownResponse.whole(response)
  if (whole !== undefined) return isFile(whole) ? withFile(reply, { file: whole, stream }) : withBytes(reply, response)
  let length = given !== null && /^\d{1,15}$/.test(given) ? Number(given) : -1
  if (response.url !== "" && headers.has("content-encoding") && !encoded.has(response)) {
    // fetch has decoded the body and left the headers as they were.
    headers.delete("content-encoding")
    length = -1
  }
  reply.body = ByteStream.from(stream, length)
  return reply
}

async function withBytes(reply: Reply, response: Response): Promise<Reply> {
  reply.body = await response.bytes()
  return reply
}

/** A file that is not there is an error while there is still an answer to give. */
async function withFile(reply: Reply, body: { file: Bun.BunFile; stream: ReadableStream<Uint8Array> }): Promise<Reply> {
  if (!(await body.file.exists())) throw new Error(`no such file: ${body.file.name}`)
  reply.body = ByteStream.from(body.stream, body.file.size)
  return reply
}

function isFile(whole: Blob | true): whole is Bun.BunFile {
  return whole !== true && "exists" in whole && typeof (whole as Bun.BunFile).name === "string"
}

/** What the last `listOf` found: the app wants the connection closed. */
let closing = false

/** With `text` the body is known: it says its length itself, and has a type if the app gave none. */
function listOf(response: Response, { text, dropped }: { text: boolean; dropped: ((name: string) => void) | undefined }): HeaderList {
  const flat: string[] = []
  closing = false
  const all = response.headers.toJSON() as Record<string, string | string[]>
  let typed = !text
  for (const name in all) {
    const value = all[name]!
    // Of the connection, and the time, which are the engine's: the same from a worker (frames/heads.ts).
    if (name === "date") continue
    if (isHopByHop(name) && !(name === "upgrade" && response.status === 426)) {
      closing ||= saysClose(name, String(value))
      dropped?.(name)
      continue
    }
    if (typeof value !== "string") for (const one of value) flat.push(name, one)
    else if (!text || name !== "content-length") {
      flat.push(name, value)
      if (name === "content-type") typed = true
    }
  }
  if (!typed) flat.push("content-type", "text/plain;charset=utf-8")
  return new HeaderList(flat)
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  return typeof value === "object" ? `an object of ${value.constructor?.name ?? "no class"}` : `a ${typeof value}`
}

class EdgeRequest extends NativeRequest {
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    super(toNativeRequest(input) as RequestInfo, init)
  }
  static override [Symbol.hasInstance](value: unknown): boolean {
    return this === EdgeRequest ? value instanceof NativeRequest : Function.prototype[Symbol.hasInstance].call(this, value)
  }
}

function edgeFetch(input: RequestInfo | URL, init?: RequestInit & { decompress?: boolean }): Promise<Response> {
  const answer = nativeFetch(toNativeRequest(input) as RequestInfo, init)
  return init?.decompress === false ? answer.then(response => (encoded.add(response), response)) : answer
}

/** For processes that run apps: the global classes then know each other's short cuts. */
export function patchGlobals(): void {
  Object.defineProperty(EdgeRequest, "name", { value: "Request" })
  Object.defineProperty(KnownResponse, "name", { value: "Response" })
  Object.defineProperty(LazyRequest.prototype, "constructor", { value: EdgeRequest, configurable: true, writable: true })
  globalThis.Request = EdgeRequest as typeof Request
  globalThis.Response = KnownResponse as unknown as typeof Response
  globalThis.fetch = Object.assign(edgeFetch, nativeFetch) as typeof fetch
}
