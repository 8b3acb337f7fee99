import { validValue } from "../codec/fields.ts"
import { HttpError } from "../message/errors.ts"
import type { Exchange } from "../message/exchange.ts"
import { encodePath } from "../message/path.ts"

type Read = (x: Exchange) => string

const reads: Readonly<Record<string, Read>> = {
  ip: x => x.ip,
  port: x => String(x.conn.peerPort),
  host: x => x.host,
  scheme: x => x.scheme,
  method: x => x.method,
  uri: x => x.target,
  path: x => encodePath(x.path),
  query: x => x.query,
  id: x => String(x.vars?.get("request_id") ?? ""),
  server_port: x => /:(\d+)$/.exec(x.conn.local)?.[1] ?? "",
  sni: x => x.tls?.sni ?? "",
  tls: x => x.tls?.version ?? "",
}

/** A field whose value has `{ip}` and the like in it. */
export class Template {
  readonly #name: string
  readonly #pieces: readonly (string | Read)[]

  /** Throws when it names what there is not. */
  constructor(name: string, value: string) {
    this.#name = name
    this.#pieces = value.split(/(\{[a-z_]+\})/).map(piece => {
      const inner = /^\{([a-z_]+)\}$/.exec(piece)?.[1]
      if (inner === undefined) return piece
      const read = Object.hasOwn(reads, inner) ? reads[inner] : undefined
      if (read === undefined) throw new Error(`"${name}: ${value}": no ${piece}; there are ${Object.keys(reads).map(key => `{${key}}`).join(", ")}`)
      return read
    })
  }

  get isFixed(): boolean {
    return this.#pieces.every(piece => typeof piece === "string")
  }

  line(x: Exchange): string {
    let value = ""
    for (const piece of this.#pieces) value += typeof piece === "string" ? piece : piece(x)
    if (!validValue(value)) throw new HttpError(400, `the request field ${this.#name} cannot be sent on`)
    return `${this.#name}: ${value.trim()}\r\n`
  }
}
