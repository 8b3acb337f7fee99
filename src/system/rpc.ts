/** Calls in both directions over one IPC channel. Arguments and results are plain data. */

type Message =
  | { readonly call: number; readonly name: string; readonly args: readonly unknown[] }
  | { readonly tell: string; readonly args: readonly unknown[] }
  | Result

interface Result {
  readonly result: number
  readonly value?: unknown
  readonly error?: string
}

type Handlers = Readonly<Record<string, (...args: never[]) => unknown>>

export class Rpc {
  readonly #send: (message: Message) => void
  readonly #handlers: Handlers
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #calls = 0

  constructor(send: (message: Message) => void, handlers: Handlers) {
    this.#send = send
    this.#handlers = handlers
  }

  /** Rejects with an Error that has the other side's message, and when the other side goes. */
  call<T>(name: string, ...args: unknown[]): Promise<T> {
    const call = ++this.#calls
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(call, { resolve: resolve as (value: unknown) => void, reject })
      this.#send({ call, name, args })
    })
  }

  /** Wants no answer. */
  tell(name: string, ...args: unknown[]): void {
    this.#send({ tell: name, args })
  }

  receive(message: Message): void {
    if ("result" in message) this.#result(message)
    else if ("tell" in message) void this.#run(message.tell, message.args).catch(() => {})
    else {
      this.#run(message.name, message.args).then(
        value => this.#send({ result: message.call, value }),
        (error: unknown) => this.#send({ result: message.call, error: error instanceof Error ? error.message : String(error) }),
      )
    }
  }

  /** The other side is gone. */
  close(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  async #run(name: string, args: readonly unknown[]): Promise<unknown> {
    const handler = this.#handlers[name]
    if (handler === undefined) throw new Error(`no call named ${name}`)
    return await handler(...(args as never[]))
  }

  #result({ result, value, error }: Result): void {
    const waiting = this.#waiting.get(result)
    this.#waiting.delete(result)
    if (error === undefined) waiting?.resolve(value)
    else waiting?.reject(new Error(error))
  }
}
