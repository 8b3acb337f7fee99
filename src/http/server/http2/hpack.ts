import { decodeHuffman } from "./huffman.ts"

/** One field, as any block may hold it: a literal without indexing, or an index of the static table. Needs no state to be read. */
export interface WireField {
  readonly name: string
  readonly wire: Buffer
  /** Where the value starts in `wire`; -1: it is `text`, of the static table. */
  readonly valueAt: number
  readonly text: string
  /** RFC 7541, 4.1. */
  readonly size: number
}

export class HpackError extends Error {}

const staticText =
  ":authority=;:method=GET;:method=POST;:path=/;:path=/index.html;:scheme=http;:scheme=https;:status=200;:status=204;:status=206;:status=304;" +
  ":status=400;:status=404;:status=500;accept-charset=;accept-encoding=gzip, deflate;accept-language=;accept-ranges=;accept=;" +
  "access-control-allow-origin=;age=;allow=;authorization=;cache-control=;content-disposition=;content-encoding=;content-language=;" +
  "content-length=;content-location=;content-range=;content-type=;cookie=;date=;etag=;expect=;expires=;from=;host=;if-match=;" +
  "if-modified-since=;if-none-match=;if-range=;if-unmodified-since=;last-modified=;link=;location=;max-forwards=;proxy-authenticate=;" +
  "proxy-authorization=;range=;referer=;refresh=;retry-after=;server=;set-cookie=;strict-transport-security=;transfer-encoding=;" +
  "user-agent=;vary=;via=;www-authenticate="

/** RFC 7541, A; the first is number 1. */
const statics: readonly WireField[] = staticText.split(";").map((pair, i) => {
  const [name = "", text = ""] = pair.split("=")
  return { name, text, wire: Buffer.from([0x80 | (i + 1)]), valueAt: -1, size: name.length + text.length + 32 }
})

/** SETTINGS_HEADER_TABLE_SIZE where nothing else was said. */
const usualTable = 4096

export function valueOf({ wire, valueAt, text }: WireField): string {
  return valueAt < 0 ? text : wire.latin1Slice(valueAt)
}

/** Reads the header blocks of one side of a connection (RFC 7541). Throws HpackError; then the connection cannot go on. */
export class HpackReader {
  /** Oldest first. */
  #table: WireField[] = []
  #size = 0
  #limit = usualTable
  readonly #maxTable: number
  /** Bytes of fields that one block may come to: a byte may stand for 4 kB of table ("HPACK bomb"). */
  readonly #most: number
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0

  /** `table`: what a change of the table's size may set it to. */
  constructor(most: number, table = usualTable) {
    this.#most = most
    this.#maxTable = table
  }

  read(block: Uint8Array, visit: (field: WireField) => void): void {
    this.#bytes = block
    this.#at = 0
    let left = this.#most
    let begun = false
    while (this.#at < block.length) {
      const byte = block[this.#at]!
      if ((byte & 0xe0) === 0x20) {
        if (begun) throw new HpackError("a size of the table within a block")
        this.#resize(this.#integer(31))
        continue
      }
      begun = true
      const field = byte >= 0x80 ? this.#indexed(this.#integer(127)) : this.#literal((byte & 0x40) !== 0)
      left -= field.size
      if (left < 0) throw new HpackError("a block that comes to too much")
      visit(field)
    }
    this.#bytes = none
  }

  #indexed(index: number): WireField {
    const field = index === 0 ? undefined : index <= statics.length ? statics[index - 1] : this.#table[this.#table.length - (index - statics.length)]
    if (field === undefined) throw new HpackError("no such field in the table")
    return field
  }

  #literal(indexed: boolean): WireField {
    const index = this.#integer(indexed ? 63 : 15)
    let end = 1
    let name: string
    scratch[0] = 0
    if (index > 0 && index <= statics.length) {
      name = statics[index - 1]!.name
      if (index < 15) scratch[0] = index
      else {
        scratch[0] = 15
        scratch[end++] = index - 15
      }
    } else if (index > 0) {
      name = this.#indexed(index).name
      end = putLength(name.length, end)
      end += scratch.latin1Write(name, end)
    } else {
      const at = this.#text(end)
      end = this.#end
      name = scratch.latin1Slice(at, end)
    }
    const valueAt = this.#text(end)
    const wire = Buffer.allocUnsafeSlow(this.#end)
    scratch.copy(wire, 0, 0, this.#end)
    const field = { name, wire, valueAt, text: "", size: name.length + wire.length - valueAt + 32 }
    if (indexed) this.#add(field)
    return field
  }

  #add(field: WireField): void {
    this.#size += field.size
    this.#table.push(field)
    this.#evict()
  }

  #resize(limit: number): void {
    if (limit > this.#maxTable) throw new HpackError("a table larger than allowed")
    this.#limit = limit
    this.#evict()
  }

  #evict(): void {
    let gone = 0
    while (this.#size > this.#limit) this.#size -= this.#table[gone++]!.size
    if (gone > 0) this.#table.splice(0, gone)
  }

  #end = 0

  /** Puts a string with its length into the scratch; returns where it starts there, `#end` where it ends. */
  #text(at: number): number {
    const huffman = (this.#bytes[this.#at]! & 0x80) !== 0
    const from = this.#atString()
    const to = this.#at
    // The shortest code has five bits.
    const most = huffman ? Math.ceil(((to - from) * 8) / 5) : to - from
    if (at + most + 16 > scratch.length) throw new HpackError("a string that is too long")
    if (!huffman) {
      const start = putLength(most, at)
      scratch.set(this.#bytes.subarray(from, to), start)
      this.#end = start + most
      return start
    }
    const end = decodeHuffman(this.#bytes, { from, to, out: scratch, at: at + 4 })
    if (end < 0) throw new HpackError("no Huffman text")
    const start = putLength(end - at - 4, at)
    scratch.copyWithin(start, at + 4, end)
    this.#end = start + end - at - 4
    return start
  }

  /** Moves behind a string; returns where its bytes start. */
  #atString(): number {
    const length = this.#integer(127)
    const from = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) throw new HpackError("a string behind the end")
    return from
  }

  /** RFC 7541, 5.1; `mask` is the prefix. */
  #integer(mask: number): number {
    const bytes = this.#bytes
    if (this.#at >= bytes.length) throw new HpackError("a number behind the end")
    let value = bytes[this.#at++]! & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= bytes.length) break
      const byte = bytes[this.#at++]!
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
    throw new HpackError("a number that is too large")
  }
}

const none = new Uint8Array(0)
/** One field: everything here is synchronous. */
const scratch = Buffer.allocUnsafeSlow(131_072)

/** A string's length with the Huffman bit off. */
function putLength(length: number, at: number): number {
  let end = at
  if (length < 127) {
    scratch[end++] = length
    return end
  }
  scratch[end++] = 127
  let rest = length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) scratch[end++] = (rest & 127) | 128
  scratch[end++] = rest
  return end
}

/** A literal without indexing, to be put behind a block. */
export function literal(name: string, value: string): Uint8Array {
  scratch[0] = 0
  let end = putLength(name.length, 1)
  end += scratch.latin1Write(name, end)
  end = putLength(value.length, end)
  end += scratch.latin1Write(value, end)
  return new Uint8Array(scratch.subarray(0, end))
}
