import type { Exchange } from "../message/exchange.ts"
import { lazyHeaders } from "./lazy-headers.ts"

const Native = globalThis.Request

/**
 * The standard Request of an Exchange, made so late that most apps never pay for it: a native one costs 1.2 us, half of
 * what a small Hono app needs for the whole request. It is `instanceof Request`; what only the native class can do is
 * left to a native one made on first use.
 */
export class LazyRequest {
  readonly #x: Exchange
  #native: Request | undefined
  #headers: Headers | undefined
  #url: string | undefined
  #used = false

  constructor(x: Exchange) {
    this.#x = x
  }

  /** The native Request; it takes over the body. */
  get native(): Request {
    return (this.#native ??= this.#make())
  }

  get method(): string {
    return this.#x.method
  }

  get url(): string {
    return (this.#url ??= urlOf(this.#x))
  }

  get headers(): Headers {
    return (this.#headers ??= this.#native?.headers ?? lazyHeaders(this.#x.headers))
  }

  get signal(): AbortSignal {
    return this.#x.signal
  }

  get body(): ReadableStream<Uint8Array> | null {
    return this.#x.body === null ? null : this.native.body
  }

  get bodyUsed(): boolean {
    return this.#used || (this.#native?.bodyUsed ?? false)
  }

  async bytes(): Promise<Uint8Array> {
    if (this.#native !== undefined) return this.#native.bytes()
    if (this.#used) throw new TypeError("Body already used")
    const { body } = this.#x
    if (body === null) return new Uint8Array(0)
    this.#used = true
    return body.bytes()
  }

  async text(): Promise<string> {
    return this.#native === undefined ? utf8.decode(await this.bytes()) : this.#native.text()
  }

  async json(): Promise<unknown> {
    return this.#native === undefined ? JSON.parse(await this.text()) : this.#native.json()
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    if (this.#native !== undefined) return this.#native.arrayBuffer()
    const bytes = await this.bytes()
    // A chunk may be a window onto a buffer that others share.
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
  }

  clone(): Request {
    return this.native.clone()
  }

  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return this.native
  }

  #make(): Request {
    const { method } = this.#x
    const body = method === "GET" || method === "HEAD" || this.#used ? null : (this.#x.body?.readable() ?? null)
    return new Native(this.url, { method, headers: this.headers, body, signal: this.signal })
  }
}

// The rest of the native class (cache, mode, formData, blob, ...), by way of a native Request.
for (const [name, own] of Object.entries(Object.getOwnPropertyDescriptors(Native.prototype))) {
  if (Object.hasOwn(LazyRequest.prototype, name)) continue
  Object.defineProperty(LazyRequest.prototype, name, {
    configurable: true,
    ...(own.get === undefined
      ? { value: forwardCall(name as "blob") }
      : {
          get(this: LazyRequest): unknown {
            return this.native[name as "mode"]
          },
        }),
  })
}
Object.setPrototypeOf(LazyRequest.prototype, Native.prototype)

function forwardCall(name: "blob"): (this: LazyRequest, ...args: []) => unknown {
  return function (this: LazyRequest, ...args: []): unknown {
    return this.native[name](...args)
  }
}

const utf8 = new TextDecoder()

/** What native code is given instead of a LazyRequest. */
export function toNativeRequest<T>(input: T): T | Request {
  return input instanceof LazyRequest ? input.native : input
}

export function lazyRequest(x: Exchange): Request {
  return new LazyRequest(x) as unknown as Request
}

/**
 * The URL an app sees. Its path must mean what routes and access rules saw (`x.path`), so whatever is not in normal form
 * is resolved here: `\` would be a "/" and "#" a fragment to an URL parser, dot segments would reach the app.
 */
export function urlOf(x: Exchange): string {
  const { target } = x
  const { flat } = x.headers
  // Nearly all clients send Host first.
  const host = target.charCodeAt(0) !== 47 ? x.host : ((flat[0] === "Host" ? flat[1] : x.headers.get("host")) ?? x.host)
  const origin = `${x.scheme}://${host === "" ? "localhost" : host}`
  const question = target.indexOf("?")
  const path = question < 0 ? target : target.slice(0, question)
  if (path === x.path && plain.test(target)) return origin + target
  const rawPath = path.charCodeAt(0) === 47 ? path : encodeURI(x.path)
  const query = question < 0 && x.query !== "" ? "?" + x.query : question < 0 ? "" : target.slice(question)
  return new URL(origin + (rawPath + query).replace(/[\\#]/g, encodeURIComponent)).href
}

/** No byte that an URL parser changes. */
const plain = /^[!$-;=?-[\]_a-z~]*$/
