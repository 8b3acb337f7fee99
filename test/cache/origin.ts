/** An origin that answers as it is told, byte by byte, and tells what it was asked. */
import type { Socket } from "bun"

export interface Got {
  readonly method: string
  readonly target: string
  readonly headers: Headers
}

/** Undefined: close without an answer. */
export type Answer = { readonly status: number; readonly headers: readonly (readonly [string, string])[]; readonly body: string } | undefined

export class Origin {
  readonly #server: { readonly port: number; stop(force?: boolean): void }
  readonly got: Got[] = []

  constructor(answer: (got: Got) => Answer | Promise<Answer>) {
    const server = Bun.listen<{ text: string }>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: socket => void (socket.data = { text: "" }),
        data: (socket, chunk) => {
          socket.data.text += chunk.latin1Slice()
          void this.#read(socket, answer)
        },
        error() {},
      },
    })
    this.#server = server
  }

  get port(): number {
    return this.#server.port
  }

  stop(): void {
    this.#server.stop(true)
  }

  /** Bodies of requests are short and come with their length. */
  async #read(socket: Socket<{ text: string }>, answer: (got: Got) => Answer | Promise<Answer>): Promise<void> {
    const { text } = socket.data
    const end = text.indexOf("\r\n\r\n")
    if (end < 0) return
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2))?.[1] ?? 0)
    if (text.length < end + 4 + length) return
    socket.data.text = text.slice(end + 4 + length)
    const [first = "", ...lines] = text.slice(0, end).split("\r\n")
    const [method = "", target = ""] = first.split(" ")
    const headers = new Headers(lines.map(line => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()] as [string, string]))
    const got = { method, target, headers }
    this.got.push(got)
    const said = await answer(got)
    if (said === undefined) return void socket.terminate()
    const bodiless = said.status === 304 || said.status === 204
    const own = said.headers.some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name))
    const head = [`HTTP/1.1 ${said.status} Said`, ...said.headers.map(([name, value]) => `${name}: ${value}`)]
    if (!own && !bodiless) head.push(`Content-Length: ${Buffer.byteLength(said.body)}`)
    socket.write(`${head.join("\r\n")}\r\n\r\n${method === "HEAD" || bodiless ? "" : said.body}`)
    if (socket.data.text !== "") void this.#read(socket, answer)
  }
}
