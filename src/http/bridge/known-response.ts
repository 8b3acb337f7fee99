const Native = globalThis.Response

/** Streams that a KnownResponse gave out, to what they hold: `new Response(res.body, res)` then needs no stream. */
const origins = new WeakMap<ReadableStream, KnownResponse>()

/**
 * A native Response that remembers what its body was made of, so that text can be sent without a stream and without
 * waiting, and other bodies with their length. Everything else is the native class: it goes wherever a Response goes.
 * Bytes are not remembered: the app may change its buffer afterwards, and native code has made its own copy.
 */
export class KnownResponse extends Native {
  /** The text; null for no body; undefined when it is something else. */
  #text: string | null | undefined
  /** What `new Response` was given, for a body of known length: a Blob, a Bun.file, or true for bytes and forms. */
  #whole: Blob | true | undefined
  #sent = false
  /** Nobody gave or saw a status or headers: there are none to be read. */
  #bare: boolean

  constructor(body?: BodyInit | null, init?: ResponseInit) {
    super(body, init)
    this.#bare = init === undefined
    if (typeof body === "string") this.#text = body
    else if (body === null || body === undefined) this.#text = null
    else if (body instanceof Blob) this.#whole = body
    else if (body instanceof ReadableStream) {
      const origin = origins.get(body)
      if (origin !== undefined) this.#text = origin.#text
    } else if (isWhole(body)) this.#whole = true
  }

  /** The body where it is known: text, or null for none. Throws when it was sent before: text can be sent once. */
  static take(response: Response): string | null | undefined {
    if (!(#text in response)) return undefined
    if (typeof response.#text !== "string") return response.#text
    if (response.#sent) throw usedTwice()
    response.#sent = true
    return response.#text
  }

  /** True when status is 200 and there are no headers but what the body implies. */
  static isBare(response: Response): boolean {
    return #bare in response && response.#bare
  }

  override get headers(): Headers {
    this.#bare = false
    return super.headers
  }

  /** True or the Blob when all bytes of the body are at hand or in a file. */
  static whole(response: Response): Blob | true | undefined {
    return #whole in response ? response.#whole : undefined
  }

  override get body(): Response["body"] {
    const stream = super.body
    if (stream !== null && this.#text !== undefined) origins.set(stream, this)
    return stream
  }

  override clone(): Response {
    if (this.#text === undefined || this.bodyUsed) return super.clone()
    return new KnownResponse(this.#text, { status: this.status, statusText: this.statusText, headers: this.headers })
  }

  static override json(data: unknown, init?: ResponseInit): Response {
    const text = JSON.stringify(data) as string | undefined
    if (text === undefined) throw new TypeError("value is not JSON serializable")
    const response = new KnownResponse(text, init)
    if (!response.headers.has("content-type")) response.headers.set("content-type", "application/json;charset=utf-8")
    return response
  }

  /** A Response that native code made (fetch, redirect) is one too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return this === KnownResponse ? value instanceof Native : Function.prototype[Symbol.hasInstance].call(this, value)
  }
}

function isWhole(body: unknown): boolean {
  return ArrayBuffer.isView(body) || body instanceof ArrayBuffer || body instanceof URLSearchParams || body instanceof FormData
}

export function usedTwice(): TypeError {
  return new TypeError("Response body already used: make a new Response for each request")
}
