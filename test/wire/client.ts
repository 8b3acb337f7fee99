import { connect } from "node:net"
import type { Socket } from "node:net"
import { connect as connectTls } from "node:tls"

/** Nothing came for this long although something must: a failure, not a measure. */
const patienceMs = 5000

export interface Answer {
  readonly status: number
  readonly reason: string
  readonly fields: [name: string, value: string][]
  readonly body: string
  readonly complete: boolean
}

/** A client that reads answers as strictly as RFC 9112 lets it, and keeps every byte that it did not ask for. */
export class WireClient {
  readonly #socket: Socket
  #got = Buffer.alloc(0)
  ended = false
  /** The server reset the connection. */
  reset = false
  #wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on("data", (chunk: Buffer) => {
      this.#got = Buffer.concat([this.#got, chunk])
      this.#wake?.()
    })
    socket.on("end", () => this.#over())
    socket.on("close", () => this.#over())
    socket.on("error", () => {
      this.reset = true
      this.#over()
    })
  }

  static open(to: { port: number; host: string; tls?: boolean }): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const options = { port: to.port, host: to.host, allowHalfOpen: true }
      const secure = to.tls === true
      const socket = secure ? connectTls({ ...options, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] }) : connect(options)
      socket.once("error", reject)
      socket.once(secure ? "secureConnect" : "connect", () => {
        socket.off("error", reject)
        resolve(new WireClient(socket))
      })
    })
  }

  send(bytes: Uint8Array | string): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  fin(): void {
    this.#socket.end()
  }

  close(): void {
    this.ended = true
    this.#socket.destroy()
  }

  /** Stops reading, so that the server's side fills up. */
  pause(): void {
    this.#socket.pause()
  }
  resume(): void {
    this.#socket.resume()
  }

  /** What was received and not read. */
  get rest(): string {
    return this.#got.toString("latin1")
  }

  async take(size: number): Promise<string> {
    await this.#until(() => this.#got.length >= size)
    return this.#cut(size)
  }

  async answer(how: "" | "head" | "cut" = ""): Promise<Answer> {
    await this.#until(() => this.#got.includes("\r\n\r\n"))
    const end = this.#got.indexOf("\r\n\r\n")
    if (end < 0) throw new Error(`no answer, but ${JSON.stringify(this.rest.slice(0, 200))}${this.ended ? " and the end" : ""}`)
    const [line, ...lines] = this.#cut(end + 4).slice(0, -4).split("\r\n") as [string, ...string[]]
    const start = /^HTTP\/1\.1 (\d{3}) ([\t\x20-\x7e\x80-\xff]*)$/.exec(line)
    if (start === null) throw new Error(`no status line: ${JSON.stringify(line)}`)
    const fields = lines.map(parseField)
    const status = Number(start[1])
    const length = single(fields, "content-length")
    const coding = single(fields, "transfer-encoding")
    if (length !== undefined && coding !== undefined) throw new Error("both framings in an answer")
    if (status >= 200 && single(fields, "date") === undefined) throw new Error("an answer without Date")
    const none = how === "head" || status < 200 || status === 204 || status === 304
    const body = none ? { text: "", complete: true } : await this.#body(length, coding)
    return { status, reason: start[2]!, fields, body: body.text, complete: body.complete }
  }

  async #body(length: string | undefined, coding: string | undefined): Promise<{ text: string; complete: boolean }> {
    if (coding !== undefined) return this.#chunked()
    if (length === undefined) {
      await this.#until(() => this.ended)
      return { text: this.#cut(this.#got.length), complete: !this.reset }
    }
    await this.#until(() => this.#got.length >= Number(length))
    const complete = this.#got.length >= Number(length)
    return { text: this.#cut(Math.min(Number(length), this.#got.length)), complete }
  }

  async #chunked(): Promise<{ text: string; complete: boolean }> {
    let text = ""
    for (;;) {
      await this.#until(() => this.#got.includes("\r\n"))
      const end = this.#got.indexOf("\r\n")
      if (end < 0) return { text, complete: false }
      const line = this.#cut(end + 2).slice(0, -2)
      if (!/^[\da-f]+$/.test(line)) throw new Error(`no chunk size: ${JSON.stringify(line)}`)
      const size = parseInt(line, 16)
      if (size === 0) break
      await this.#until(() => this.#got.length >= size + 2)
      if (this.#got.length < size + 2) return { text: text + this.#cut(this.#got.length), complete: false }
      const chunk = this.#cut(size + 2)
      if (!chunk.endsWith("\r\n")) throw new Error("a chunk without its CRLF")
      text += chunk.slice(0, -2)
    }
    for (;;) {
      await this.#until(() => this.#got.includes("\r\n"))
      const end = this.#got.indexOf("\r\n")
      if (end < 0) return { text, complete: false }
      if (this.#cut(end + 2) === "\r\n") return { text, complete: true }
    }
  }

  /** Waits for the server to close; false when it does not. */
  async closes(): Promise<boolean> {
    await this.#until(() => this.ended)
    return this.ended
  }

  #cut(size: number): string {
    const text = this.#got.toString("latin1", 0, size)
    this.#got = this.#got.subarray(size)
    return text
  }

  #over(): void {
    this.ended = true
    this.#wake?.()
  }

  async #until(done: () => boolean): Promise<void> {
    const end = performance.now() + patienceMs
    while (!done() && !this.ended && performance.now() < end) {
      const timer = Promise.withResolvers<void>()
      const timeout = setTimeout(timer.resolve, patienceMs)
      this.#wake = timer.resolve
      await timer.promise
      clearTimeout(timeout)
    }
  }
}

function parseField(line: string): [string, string] {
  const match = /^([!#$%&'*+\-.^_`|~\w]+): ([\t\x20-\x7e\x80-\xff]*)$/.exec(line)
  if (match === null) throw new Error(`no field line: ${JSON.stringify(line)}`)
  return [match[1]!, match[2]!]
}

function single(fields: [string, string][], name: string): string | undefined {
  const found = fields.filter(([have]) => have.toLowerCase() === name)
  if (found.length > 1) throw new Error(`${name} more than once`)
  return found[0]?.[1]
}
