/** Answers from memory: compressed once, then as cheap as any other. */
import type { Awaitable, Encoding, Exchange } from "edge"
import { derive, HeaderList, Prepared, type Reply } from "edge"
import { addVary, encodeHead, isEligible, type Rules } from "./eligible.ts"
import { encode, type Levels } from "./encoders.ts"

/** What is known of one answer. Null where it is not to be compressed. */
interface Known {
  /** The answer as it came, with Vary; made when a client first wants it. */
  identity: Prepared | null
  readonly encoded: Map<Encoding, Prepared | Promise<Prepared>>
}

export interface HotOptions {
  readonly rules: Rules
  readonly levels: Levels
  /** Bytes of compressed copies; past it all are forgotten, which is rare and costs one compression each. */
  readonly maxBytes: number
  /** What the client wants; asked only where it matters. */
  pick(x: Exchange): Encoding | ""
}

export class HotAnswers {
  readonly #options: HotOptions
  /** By the header lines of the answer, which are one object as long as its owner keeps it: forgotten with it. */
  #known = new WeakMap<object, Known | "as it is">()
  #bytes = 0

  constructor(options: HotOptions) {
    this.#options = options
  }

  answer(x: Exchange, reply: Reply): Awaitable<Reply> {
    const lines = reply.headers.flat
    let known = this.#known.get(lines)
    if (known === undefined) this.#known.set(lines, (known = this.#examine(reply)))
    if (known === "as it is") return reply
    const encoding = this.#options.pick(x)
    if (encoding === "") return (known.identity ??= derive(reply, addVary)).reply()
    const encoded = known.encoded.get(encoding) ?? this.#encode(known, { encoding, reply })
    return encoded instanceof Prepared ? encoded.reply() : encoded.then(prepared => prepared.reply())
  }

  #examine(reply: Reply): Known | "as it is" {
    if (!isEligible(reply, this.#options.rules)) return "as it is"
    return { identity: null, encoded: new Map() }
  }

  #encode(known: Known, { encoding, reply }: { encoding: Encoding; reply: Reply }): Prepared | Promise<Prepared> {
    const body = reply.body as Uint8Array
    const done = (bytes: Uint8Array): Prepared => {
      const prepared = bytes.byteLength < body.byteLength ? this.#prepare(reply, { encoding, bytes }) : (known.identity ??= derive(reply, addVary))
      known.encoded.set(encoding, prepared)
      return prepared
    }
    const encoded = encode(body, { encoding, levels: this.#options.levels })
    if (!(encoded instanceof Promise)) return done(encoded)
    const pending = encoded.then(done)
    // Those who ask while it is made wait for the same one; a failure must not stay.
    pending.catch(() => known.encoded.delete(encoding))
    known.encoded.set(encoding, pending)
    return pending
  }

  #prepare(reply: Reply, { encoding, bytes }: { encoding: Encoding; bytes: Uint8Array }): Prepared {
    const headers = HeaderList.from(reply.headers)
    encodeHead(headers, encoding)
    const prepared = new Prepared(reply.status, [...headers.flat], bytes, { bornSec: reply.bornSec })
    this.#bytes += prepared.bytes
    if (this.#bytes > this.#options.maxBytes) {
      this.#known = new WeakMap()
      this.#bytes = 0
    }
    return prepared
  }
}
