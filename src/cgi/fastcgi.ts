/** The records of FastCGI 1.0, as a web server speaks it to one application: one request at a time on a connection. */

const VERSION = 1
const BEGIN_REQUEST = 1
const END_REQUEST = 3
const PARAMS = 4
const STDIN = 5
const STDOUT = 6
const STDERR = 7
const RESPONDER = 1
const KEEP_CONN = 1
const ID = 1
/** Content of a record, in bytes; below the most (65,535) and a multiple of 8, so that no padding is needed. */
const mostContent = 65_528

/** BEGIN_REQUEST and all PARAMS. `params`: name, value, ... in Latin-1. */
export function beginRequest(params: readonly string[], { keep }: { keep: boolean }): Buffer {
  const pairs = encodePairs(params)
  const records: Buffer[] = [record(BEGIN_REQUEST, Buffer.from([0, RESPONDER, keep ? KEEP_CONN : 0, 0, 0, 0, 0, 0]))]
  for (let at = 0; at < pairs.length; at += mostContent) records.push(record(PARAMS, pairs.subarray(at, at + mostContent)))
  records.push(record(PARAMS, nothing))
  return Buffer.concat(records)
}

/** Bytes of the body as STDIN records. */
export function stdin(chunk: Uint8Array): Buffer {
  if (chunk.length <= mostContent) return record(STDIN, chunk)
  const records: Buffer[] = []
  for (let at = 0; at < chunk.length; at += mostContent) records.push(record(STDIN, chunk.subarray(at, at + mostContent)))
  return Buffer.concat(records)
}

/** The end of the body. */
export function stdinEnd(): Buffer {
  return record(STDIN, nothing)
}

const nothing = Buffer.alloc(0)

function record(type: number, content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(8 + content.length)
  bytes[0] = VERSION
  bytes[1] = type
  bytes.writeUInt16BE(ID, 2)
  bytes.writeUInt16BE(content.length, 4)
  bytes.writeUInt16BE(0, 6)
  bytes.set(content, 8)
  return bytes
}

/** Lengths below 128 take one byte, others four with the highest bit set (FastCGI 1.0, 3.4). */
function encodePairs(params: readonly string[]): Buffer {
  let size = 0
  for (const text of params) size += (text.length < 128 ? 1 : 4) + text.length
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  const length = (n: number): void => {
    if (n < 128) bytes[at++] = n
    else at = bytes.writeUInt32BE((n | 0x80000000) >>> 0, at)
  }
  for (let i = 0; i < params.length; i += 2) {
    const [name, value] = [params[i]!, params[i + 1]!]
    length(name.length)
    length(value.length)
    at += bytes.latin1Write(name, at)
    at += bytes.latin1Write(value, at)
  }
  return bytes
}

export interface RecordEvents {
  stdout(bytes: Buffer): void
  stderr(bytes: Buffer): void
  /** `error` when the application could not take the request (overloaded, no such role). */
  ended(error: string | undefined): void
}

const refusals = ["", "it cannot take more requests on a connection", "it is overloaded", "it does not know the role"]

/** Cuts what an application sends into records, handing content on as it comes. */
export class RecordReader {
  readonly #events: RecordEvents
  readonly #head = Buffer.alloc(8)
  #have = 0
  #left = 0
  #padding = 0
  #end: Buffer = nothing

  constructor(events: RecordEvents) {
    this.#events = events
  }

  /** Throws when what comes is not FastCGI. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#have < 8) at = this.#readHead(chunk, at)
      else if (this.#left > 0) {
        const stop = Math.min(chunk.length, at + this.#left)
        this.#left -= stop - at
        this.#content(chunk.subarray(at, stop))
        at = stop
      } else {
        const skip = Math.min(chunk.length - at, this.#padding)
        this.#padding -= skip
        at += skip
      }
      if (this.#have === 8 && this.#left === 0 && this.#padding === 0) this.#have = 0
    }
  }

  #readHead(chunk: Buffer, start: number): number {
    let at = start
    while (this.#have < 8 && at < chunk.length) this.#head[this.#have++] = chunk[at++]!
    if (this.#have < 8) return at
    const head = this.#head
    if (head[0] !== VERSION) throw new Error("it does not speak FastCGI")
    if (head.readUInt16BE(2) !== ID) throw new Error("it answers a request that was not sent")
    this.#left = head.readUInt16BE(4)
    this.#padding = head[6]!
    this.#end = nothing
    if (head[1] === END_REQUEST && this.#left < 8) throw new Error("it does not speak FastCGI")
    return at
  }

  #content(bytes: Buffer): void {
    const type = this.#head[1]
    if (type === STDOUT) this.#events.stdout(bytes)
    else if (type === STDERR) this.#events.stderr(bytes)
    else if (type === END_REQUEST) {
      this.#end = Buffer.concat([this.#end, bytes])
      if (this.#left > 0) return
      const status = this.#end[4]!
      this.#events.ended(status === 0 ? undefined : (refusals[status] ?? `it ended the request with ${status}`))
    } else throw new Error(`it sent a record of type ${type}`)
  }
}

/** Largest head of an answer, in bytes. */
const mostHead = 65_536

/** Turns the head of a CGI answer (RFC 3875, 6) into one of HTTP/1.1; what follows goes through as it is. */
export class CgiHead {
  #part: Buffer = nothing
  #done = false

  /** What can be handed on; null while the head is not complete. Throws when it cannot become one. */
  push(bytes: Buffer): Buffer | null {
    if (this.#done) return bytes
    const all = this.#part.length === 0 ? bytes : Buffer.concat([this.#part, bytes])
    const text = all.latin1Slice(0, Math.min(mostHead, all.length))
    const end = /\r?\n\r?\n/.exec(text)
    if (end === null) {
      if (all.length >= mostHead) throw new Error("its answer has a head that is too large")
      this.#part = all
      return null
    }
    this.#done = true
    this.#part = nothing
    const head = toHttp(text.slice(0, end.index).split(/\r?\n/))
    return Buffer.concat([Buffer.from(head, "latin1"), all.subarray(end.index + end[0].length)])
  }
}

function toHttp(lines: readonly string[]): string {
  let status = ""
  let located = false
  const fields: string[] = []
  for (const line of lines) {
    const value = /^status[ \t]*:[ \t]*(.*)$/i.exec(line)
    if (value === null) {
      // What frames the answer is not the program's to say here; that the client's connection is to close is.
      if (/^connection[ \t]*:(?:.*,)?[ \t]*close[ \t]*(?:,|$)/i.test(line)) fields.push("Connection: close")
      if (!/^(?:connection|transfer-encoding|keep-alive|trailer|date)[ \t]*:/i.test(line)) fields.push(line.replace(/^([^:\s]+)[ \t]+:/, "$1:"))
      located ||= /^location[ \t]*:/i.test(line)
    } else status = value[1]!.trim()
  }
  // RFC 3875, 6.2.3: a Location alone is a redirect.
  if (status === "") status = located ? "302 Found" : "200 OK"
  if (/^[1-9]\d\d$/.test(status)) status += " "
  return `HTTP/1.1 ${status}\r\n${fields.map(line => `${line}\r\n`).join("")}\r\n`
}
