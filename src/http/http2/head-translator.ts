import { isToken } from "../codec/fields.ts"
import { HeadError } from "../codec/header-block.ts"
import { checkTarget } from "../codec/target.ts"
import { HpackReader, literal, valueOf, type WireField } from "./hpack.ts"

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
  #parts: Uint8Array[] = []
  #size = 0
  #method: string | undefined
  #path: string | undefined
  #connect = false
  #refused = false

  /** `most`: bytes of fields a head may come to before the connection is cut; Bun refuses smaller ones by itself. */
  constructor(most: number) {
    this.#reader = new HpackReader(most)
  }

  /** Throws HpackError. */
  translate(block: Uint8Array, { stream, bodiless }: { stream: number; bodiless: boolean }): Uint8Array {
    this.#parts = []
    this.#size = 0
    this.#method = this.#path = undefined
    this.#connect = this.#refused = false
    this.#reader.read(block, field => this.#field(field, bodiless))
    if (this.#method !== undefined) this.#put(literal(headField, `${stream} ${this.#method} ${this.#target()}`))
    const out = new Uint8Array(this.#size)
    let at = 0
    for (const part of this.#parts) {
      out.set(part, at)
      at += part.length
    }
    return out
  }

  #field(field: WireField, bodiless: boolean): void {
    switch (field.name) {
      case ":method":
        return this.#methodField(field, bodiless)
      case ":path":
        // An empty or a second one is malformed, and Bun says so.
        if (this.#path !== undefined) return this.#put(field.wire)
        this.#path = valueOf(field)
        if (!this.#connect) this.#put(this.#path === "" ? field.wire : root)
        return
      case ":scheme":
      case ":protocol":
        if (!this.#connect) this.#put(field.wire)
        return
      case headField:
        return
      case "content-length":
        // Bun would drop the body of a HEAD, and as another method it would get no Content-Length of its answer.
        if (this.#method === "HEAD" && !bodiless && valueOf(field) !== "0") this.#refused = true
        return this.#put(field.wire)
      default:
        this.#put(field.wire)
    }
  }

  #methodField(field: WireField, bodiless: boolean): void {
    const method = valueOf(field)
    if (this.#method !== undefined || !isMethod(method)) return this.#put(field.wire)
    this.#method = method
    this.#connect = method === "CONNECT"
    if (method === "HEAD") this.#put(field.wire)
    else this.#put(bodiless ? get : post)
    if (!this.#connect) return
    // It has neither (RFC 9113, 8.5), and is to be answered as over HTTP/1.1.
    this.#put(root)
    this.#put(http)
  }

  #put(bytes: Uint8Array): void {
    this.#parts.push(bytes)
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
