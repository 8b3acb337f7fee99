/** The supervisor's own connection to a frames worker: greeting, ping, stack, drain; its end tells the worker to go. */
import type { Socket } from "bun"
import { FrameError, type Frame, PING, STACK, DRAIN } from "../../frames/codec.ts"
import { type Hello, Link, linkHandlers, type LinkOwner } from "../../frames/link.ts"

export class WorkerControl implements LinkOwner {
  readonly #greeting = Promise.withResolvers<Hello>()
  readonly #pings: ((depth: number) => void)[] = []
  #stacks: ((text: string) => void)[] = []
  #link: Link | undefined

  /** Resolves with the worker's HELLO. A worker says it when it can serve, so this may take its whole boot time. */
  static async connect(path: string): Promise<{ control: WorkerControl; hello: Promise<Hello> }> {
    const control = new WorkerControl()
    await Bun.connect<Link>({
      unix: path,
      socket: {
        ...linkHandlers,
        open: (socket: Socket<Link>) => {
          socket.data = control.#link = new Link(socket, control)
          socket.data.greet({ role: "supervisor", name: "edge" })
        },
      },
    } as never)
    control.#greeting.promise.catch(() => {})
    return { control, hello: control.#greeting.promise }
  }

  /** Exchanges that the worker has; rejects when it does not answer in time. */
  ping(timeoutMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to a ping within ${timeoutMs} ms`)), timeoutMs)
      this.#pings.push(depth => {
        clearTimeout(timer)
        resolve(depth)
      })
      this.#link?.writer.frame(PING, {})
    })
  }

  /** "" when the worker cannot say in time. */
  stack(timeoutMs: number): Promise<string> {
    return new Promise(resolve => {
      const timer = setTimeout(() => resolve(""), timeoutMs)
      this.#stacks.push(text => {
        clearTimeout(timer)
        resolve(text)
      })
      this.#link?.writer.frame(STACK, {})
    })
  }

  drain(): void {
    this.#link?.writer.frame(DRAIN, {})
  }

  close(): void {
    this.#link?.close()
  }

  hello(hello: Hello): void {
    this.#greeting.resolve(hello)
  }

  frame(frame: Frame): void {
    if (frame.type !== STACK) throw new FrameError(`a frame of type ${frame.type} for the supervisor`)
    const text = frame.bytes.toString("utf8", frame.start, frame.stop)
    for (const answer of this.#stacks.splice(0)) answer(text)
  }

  pong(_payload: Buffer, depth: number): void {
    this.#pings.shift()?.(depth)
  }

  closed(error: Error | undefined): void {
    this.#greeting.reject(error ?? new Error("the worker closed the connection"))
    for (const answer of this.#stacks.splice(0)) answer("")
  }
}
