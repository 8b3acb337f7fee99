import { isPlain } from "../codec/alike.ts"
import { validName, validValue } from "../codec/fields.ts"
import { sendableTrailers, trailerNames } from "../codec/trailers.ts"
import { HttpError } from "../message/errors.ts"
import type { Connection, Exchange } from "../message/exchange.ts"
import type { HeaderList } from "../message/headers.ts"
import { type ForwardedKind, forwarding, forwardingFields, keepForwarded, type Received } from "./forwarding-fields.ts"
import type { UpstreamTarget } from "./target.ts"
import { Template } from "./template.ts"

export interface HeadRules {
  /** What the Host field says: "client" as the client sent it, "upstream" the upstream's authority, or a fixed name. */
  readonly host: string
  /** Set on every request, replacing what the client sent under that name. */
  readonly set: readonly (readonly [name: string, value: string])[]
  /** Removed from every request. */
  readonly remove: readonly string[]
  /** Who is told of the client: by X-Forwarded-*, by Forwarded (RFC 7239), by both, or not at all. */
  readonly forwarded: ForwardedKind
  /** Our name in Via, of requests and answers (RFC 9110, 7.6.3); "" for no Via. */
  readonly via: string
}

export const defaultHead: HeadRules = { host: "client", set: [], remove: [], forwarded: "x-forwarded", via: "" }

/** The header section of a request but for its framing, and what was seen on the way. */
interface Section {
  readonly conn: Connection
  readonly prefix: string
  readonly version: Exchange["httpVersion"]
  readonly text: string
  /** The protocol to switch to, or "". */
  readonly upgrade: string
  /** The client waits for 100 (Continue) before it sends its body. */
  readonly expects: boolean
  /** The client said that it has a body, of 0 bytes or more. */
  readonly hasLength: boolean
  /** The client takes trailers. */
  readonly trailers: boolean
  /** The trailers that it announces itself. */
  readonly announces: string
}

/**
 * Writes request heads for one upstream: one well-formed request, whatever the client or a middleware put together.
 * Hop-by-hop fields go no further (RFC 9110, 7.6.1; those that Connection names went at the border, header-block.ts); the
 * others keep order, case and duplicates. Host, the forwarding fields and the framing are always our own.
 */
export class RequestHead {
  /** After `write`: the protocol to switch to, or "". */
  upgrade = ""
  /** After `write`: the client waits for 100 (Continue) before it sends its body. */
  expects = false
  #target: UpstreamTarget
  #host: string
  #extra = ""
  /** Of `set`, what depends on the request: written for each one. */
  #dynamic: readonly Template[] = []
  #forwarded: ForwardedKind
  #drop: ReadonlySet<string> | null
  #via: string
  /** Clients repeat their fields word for word, and the listener then gives the same array: it is written only once. */
  #known = new WeakMap<object, Section>()

  constructor(target: UpstreamTarget, rules: HeadRules) {
    this.#target = target
    this.#host = rules.host
    this.#forwarded = rules.forwarded
    this.#via = rules.via
    if (!validValue(rules.host)) throw new Error(`"${rules.host}" cannot be a Host`)
    const drop = new Set(rules.remove.map(name => name.toLowerCase()))
    for (const [name, value] of rules.set) {
      if (!validName(name) || !validValue(value)) throw new Error(`"${name}: ${value}" is not a header field`)
      drop.add(name.toLowerCase())
      const template = new Template(name, value)
      if (template.isFixed) this.#extra += `${name}: ${value}\r\n`
      else this.#dynamic = [...this.#dynamic, template]
    }
    for (const name of drop) if (hop.has(name)) throw new Error(`"${name}" is not free to set or remove`)
    this.#drop = drop.size > 0 ? drop : null
  }

  /** Request line to empty line. Throws HttpError when the exchange cannot be sent as a request. */
  write(x: Exchange): string {
    const section = this.#section(x)
    this.upgrade = x.body === null && x.httpVersion === "1.1" ? section.upgrade : ""
    this.expects = section.expects && x.body !== null
    return `${x.method} ${this.#path(x)} HTTP/1.1\r\n${section.text}${this.#dynamic.length > 0 ? this.#fill(x) : ""}${this.#framing(x, section)}\r\n`
  }

  /** Those of a request that go on; a name that `set` or `remove` has is not the client's. */
  trailers(x: Exchange, given: HeaderList | undefined): HeaderList | undefined {
    const kept = sendableTrailers(given, x.headers)
    for (const name of this.#drop ?? []) kept?.deleteAlike(name)
    return kept
  }

  #fill(x: Exchange): string {
    let text = ""
    for (const template of this.#dynamic) text += template.line(x)
    return text
  }

  #section(x: Exchange): Section {
    if (x.headers.changed) return this.#writeSection(x)
    const key = x.headers.flat
    let section = this.#known.get(key)
    if (section === undefined || section.conn !== x.conn || section.prefix !== x.prefix || section.version !== x.httpVersion) {
      section = this.#writeSection(x)
      this.#known.set(key, section)
    }
    return section
  }

  #writeSection(x: Exchange): Section {
    const { flat } = x.headers
    const drop = this.#drop
    const connection = readConnection(x.headers.get("connection"))
    const got: Received = { host: "", for: "", sentHost: "", prefix: "", forwarded: "" }
    let upgrade = ""
    let expects = false
    let hasLength = false
    let trailers = false
    let announces = ""
    let text = ""
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i]!
      const value = flat[i + 1]!
      // Also a character above U+00FF: cut to one byte, U+010A would be sent as a line feed.
      if (!validName(name) || !validValue(value)) throw new HttpError(500, `the request field ${JSON.stringify(name)} cannot be sent on`)
      const lower = name.toLowerCase()
      if (hop.has(lower)) {
        if (lower === "host") got.host ||= value
        else if (lower === "content-length") hasLength = true
        else if (lower === "expect") expects = value.toLowerCase() === "100-continue"
        else if (lower === "trailer") announces = announces === "" ? value : `${announces}, ${value}`
        else if (lower === "te") trailers ||= /(?:^|[,\s])trailers/i.test(value)
        else if (lower === "upgrade") upgrade = upgrade === "" ? value : `${upgrade}, ${value}`
      } else if (forwarding.has(lower)) {
        if (x.conn.trusted) keepForwarded(got, lower, value)
      } else if (drop === null || !isDropped(lower, drop)) text += `${name}: ${value}\r\n`
    }
    // HTTP/2 and 3 name the host outside of the fields.
    got.host ||= x.host
    // A switch to HTTP/2 would carry requests past every rule of ours ("h2c smuggling").
    if (connection?.has("upgrade") !== true || /(?:^|[,\s])(?:h2c?|http|tls)(?:[/,\s]|$)/i.test(upgrade)) upgrade = ""
    text = `Host: ${this.#hostFor(got.host)}\r\n${text}`
    for (const [name, value] of forwardingFields(x, { got, kind: this.#forwarded })) {
      if (!validValue(value)) throw new HttpError(400, `the request field ${name} cannot be sent on`)
      if (drop?.has(name.toLowerCase()) !== true) text += `${name}: ${value}\r\n`
    }
    if (this.#via !== "" && drop?.has("via") !== true) text += `Via: ${x.httpVersion} ${this.#via}\r\n`
    const { conn, prefix, httpVersion: version } = x
    return { conn, prefix, version, text: text + this.#extra, upgrade, expects, hasLength, trailers, announces: trailerNames(announces) }
  }

  #hostFor(sent: string): string {
    if (this.#host === "client") return sent === "" ? this.#target.authority : sent
    return this.#host === "upstream" ? this.#target.authority : this.#host
  }

  #path(x: Exchange): string {
    const { target } = x
    // The listener took the authority off an absolute-form target.
    if (target.charCodeAt(0) !== 47) {
      if (target === "*" && x.method === "OPTIONS") return this.#target.prefix || "*"
      throw new HttpError(400, "a target that names no path")
    }
    for (let i = 1; i < target.length; i++) {
      const c = target.charCodeAt(i)
      if (c <= 32 || c >= 127) throw new HttpError(400, "a target with characters that cannot stand in one")
    }
    if (!validName(x.method)) throw new HttpError(400, "a method that is not a token")
    return this.#target.prefix + target
  }

  #framing(x: Exchange, section: Section): string {
    let text = ""
    if (x.body !== null) {
      text = x.body.length >= 0 ? `Content-Length: ${x.body.length}\r\n` : "Transfer-Encoding: chunked\r\n"
      if (x.body.length < 0 && section.announces !== "") text += `Trailer: ${section.announces}\r\n`
      if (this.expects) text += "Expect: 100-continue\r\n"
    } else if (section.hasLength || x.method === "POST" || x.method === "PUT" || x.method === "PATCH") {
      text = "Content-Length: 0\r\n"
    }
    if (this.upgrade !== "") return `${text}Connection: upgrade\r\nUpgrade: ${this.upgrade}\r\n`
    return section.trailers ? `${text}Connection: TE\r\nTE: trailers\r\n` : text
  }
}

/** Also in a spelling that the app behind takes for the same: the client must not have the last word on what we set. */
function isDropped(lower: string, drop: ReadonlySet<string>): boolean {
  return drop.has(lower) || (!isPlain(lower) && drop.has(lower.replaceAll(/[^a-z0-9]/g, "-")))
}

/** About one connection or the framing: written anew, where needed. */
const hop = new Set(
  ("host content-length transfer-encoding connection keep-alive proxy-connection proxy-authorization " +
    "proxy-authenticate te trailer upgrade expect http2-settings").split(" "),
)

/** The options of Connection, lower case. */
function readConnection(value: string | null): ReadonlySet<string> | null {
  return value === null ? null : new Set(value.toLowerCase().split(",").map(option => option.trim()))
}
