/** The upstream behind the proxy: answers well-formed requests, and keeps every byte that reached it for the readings. */
import type { Socket } from "bun"
import { read, readings } from "./readings.ts"

const strict = readings[0]!

export class Origin implements Disposable {
  /** All bytes of each connection. */
  readonly streams: string[] = []
  readonly #server = Bun.listen<{ index: number; answered: number }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: socket => {
        socket.data = { index: this.streams.push("") - 1, answered: 0 }
      },
      data: (socket, chunk) => this.#take(socket, chunk),
    },
  })

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`
  }

  /** Request lines that any reading finds beside those of the strict one, or that not all find. */
  get disagreements(): string[] {
    return this.streams.flatMap((stream, i) => {
      const [first, ...others] = readings.map(reading => read(stream, reading))
      const differing = others.findIndex(other => !Bun.deepEquals(other.requests, first!.requests))
      return differing < 0 ? [] : [`connection ${i}, by ${readings[differing + 1]!.name}: ${JSON.stringify(stream.slice(-300))}`]
    })
  }

  get requests(): string[] {
    return this.streams.flatMap(stream => read(stream, strict).requests)
  }

  [Symbol.dispose](): void {
    this.#server.stop(true)
  }

  #take(socket: Socket<{ index: number; answered: number }>, chunk: Buffer): void {
    const { data } = socket
    const stream = (this.streams[data.index] += chunk.toString("latin1"))
    const { requests } = read(stream, strict)
    for (; data.answered < requests.length; data.answered++) {
      const body = `origin ${requests[data.answered]!.split(" ")[1]}\n`
      const head = requests[data.answered]!.startsWith("HEAD ")
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${head ? "" : body}`)
    }
  }
}
