/** A client that sends what a test says and keeps what it gets. */
import type { Socket } from "bun"

export class RawClient {
  text = ""
  ended = false
  closed = false
  #waits: (() => void)[] = []
  socket!: Socket<undefined>

  static async to(port: number): Promise<RawClient> {
    const client = new RawClient()
    client.socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: {
        data: (_, chunk) => {
          client.text += chunk.latin1Slice()
          client.#changed()
        },
        end: () => {
          client.ended = true
          client.#changed()
        },
        close: () => {
          client.closed = true
          client.#changed()
        },
        error: () => {},
      },
    })
    return client
  }

  #changed(): void {
    for (const wake of this.#waits.splice(0)) wake()
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, "latin1"))
  }

  async until(is: (c: RawClient) => boolean): Promise<void> {
    while (!is(this)) await new Promise<void>(resolve => this.#waits.push(resolve))
  }

  /** Sends, and resolves with all that came once the peer closed. */
  static async ask(port: number, text: string): Promise<string> {
    const client = await RawClient.to(port)
    client.send(text)
    await client.until(c => c.closed || c.ended)
    client.socket.end()
    return client.text
  }
}
