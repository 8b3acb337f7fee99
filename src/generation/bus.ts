/** How a plugin in one front reaches itself in the others. */
import type { Bus } from "../contract/plugin.ts"

/** Where there are no fronts (`edge check`): nobody hears. */
export const noBus: Bus = { send() {}, on() {} }

/** The end of the bus in one front; `cast` hands on to the supervisor. */
export class FrontBus implements Bus {
  readonly #cast: (topic: string, data: unknown) => void
  readonly #listeners = new Map<string, ((data: unknown) => void)[]>()

  constructor(cast: (topic: string, data: unknown) => void) {
    this.#cast = cast
  }

  send(topic: string, data: unknown): void {
    this.#cast(topic, data)
  }

  on(topic: string, f: (data: unknown) => void): void {
    const listeners = this.#listeners.get(topic)
    if (listeners === undefined) this.#listeners.set(topic, [f])
    else listeners.push(f)
  }

  hear(topic: string, data: unknown): void {
    for (const f of this.#listeners.get(topic) ?? []) f(data)
  }
}
