import { isToken } from "../../codec/fields.ts"
import { HeadError } from "../../codec/header-block.ts"
import { checkTarget } from "../../codec/target.ts"
import { HpackError, HpackReader, literal, valueOf, type WireField } from "./hpack.ts"

/** The field by which Bun hands on what it would change; nobody outside can guess it, and it is taken out of what clients send. */
export const headField = `edge-${Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString("hex")}`

/** What a client wrote, as Bun does not show it. */
export interface ClientHead {
  readonly stream: number
  readonly method: string
  /** Checked as over HTTP/1.1; null where it is refused. */
  readonly target: string | null
}

export function readHead(value: string): ClientHead | null {
  const [stream, method, target] = value.split(" ")
  if (stream === undefined || method === undefined || target === undefined) return null
  return { stream: Number(stream), method, target: target === refused ? null : target }
}

/** Bytes of fields a head may come to before the connection is cut; what is above 16 kB Bun refuses by itself. */
const mostHead = 65_536
/** One block: everything here is synchronous. */
const out = new Uint8Array(2 * mostHead)
/** No target is like it. */
const refused = "!"
const get = Uint8Array.of(0x82)
const post = Uint8Array.of(0x83)
const root = Uint8Array.of(0x84)
const http = Uint8Array.of(0x86)

/**
 * Header blocks of a client, made anew for Bun: without state, with the method and target as they came in a field of ours. Bun
 * would resolve dots and backslashes in the target, change bytes, and drop the body of a GET.
 */
export class HeadTranslator {
  readonly #reader: HpackReader
  /** Content-Length of the block that was translated last; -1: none, or none that can be read. */
  declared = -1
  /** It has fields that only a head has. */
  pseudo = false
  #size = 0
  #bodiless = false
  readonly #take = (field: WireField): void => this.#field(field)
  #method: string | undefined
  #path: string | undefined
  #connect = false
  #refused = false

  constructor() {
    this.#reader = new HpackReader(mostHead)
  }

  /** Throws HpackError. What it returns is good until the next call. */
  translate(block: Uint8Array, { stream, bodiless }: { stream: number; bodiless: boolean }): Uint8Array {
    this.#size = 0
    this.declared = -1
    this.pseudo = false
    this.#bodiless = bodiless
    this.#method = this.#path = undefined
    this.#connect = this.#refused = false
    this.#reader.read(block, this.#take)
    if (this.#method !== undefined) this.#put(literal(headField, `${stream} ${this.#method} ${this.#target()}`))
    return out.subarray(0, this.#size)
  }

  #field(field: WireField): void {
    switch (field.name) {
      case ":method":
        this.pseudo = true
        return this.#methodField(field)
      case ":path":
        this.pseudo = true
        // An empty or a second one is malformed, and Bun says so.
        if (this.#path !== undefined) return this.#put(field.wire)
        this.#path = valueOf(field)
        if (!this.#connect) this.#put(this.#path === "" ? field.wire : root)
        return
      case ":scheme":
      case ":protocol":
        this.pseudo = true
        if (!this.#connect) this.#put(field.wire)
        return
      case headField:
        return
      case "content-length":
        // Bun would drop the body of a HEAD, and as another method it would get no Content-Length of its answer.
        if (this.#method === "HEAD" && !this.#bodiless && valueOf(field) !== "0") this.#refused = true
        if (!this.#bodiless) this.declared = /^\d{1,15}$/.test(valueOf(field)) ? Number(valueOf(field)) : -1
        return this.#put(field.wire)
      default:
        this.#put(field.wire)
    }
  }

  #methodField(field: WireField): void {
    const method = valueOf(field)
    if (this.#method !== undefined || !isMethod(method)) return this.#put(field.wire)
    this.#method = method
    this.#connect = method === "CONNECT"
    if (method === "HEAD") this.#put(field.wire)
    else this.#put(this.#bodiless ? get : post)
    if (!this.#connect) return
    // It has neither (RFC 9113, 8.5), and is to be answered as over HTTP/1.1.
    this.#put(root)
    this.#put(http)
  }

  #put(bytes: Uint8Array): void {
    if (this.#size + bytes.length > out.length) throw new HpackError("a block that comes to too much")
    out.set(bytes, this.#size)
    this.#size += bytes.length
  }

  #target(): string {
    if (this.#refused) return refused
    if (this.#connect) return "*"
    try {
      return checkTarget(this.#method!, this.#path ?? "")
    } catch (error) {
      if (error instanceof HeadError) return refused
      throw error
    }
  }
}

function isMethod(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (isToken[text.charCodeAt(i)] !== 1) return false
  return text !== ""
}
