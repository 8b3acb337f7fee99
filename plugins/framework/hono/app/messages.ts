import type { Session } from "./session.ts"

export type MessageKind = "success" | "info" | "warning" | "error"
export interface Message {
  readonly kind: MessageKind
  readonly text: string
}

const KEY = "_messages"
/** More would be noise, and a redirect loop would fill the table. */
const MOST = 20

/** Words for the visitor that outlive a redirect: shown once, on the next page that takes them. */
export class Messages {
  readonly #session: Session
  #added: Message[] = []

  constructor(session: Session) {
    this.#session = session
  }

  add(kind: MessageKind, text: string): void {
    this.#added.push({ kind, text })
  }
  success(text: string): void {
    this.add("success", text)
  }
  error(text: string): void {
    this.add("error", text)
  }

  /** All that wait, those of this request too; they are then gone. */
  async take(): Promise<readonly Message[]> {
    const waiting = this.#session.mayExist ? ((await this.#session.get<Message[]>(KEY)) ?? []) : []
    if (waiting.length > 0) this.#session.delete(KEY)
    const all = [...waiting, ...this.#added]
    this.#added = []
    return all
  }

  /** Leaves those that nobody took to the next request. */
  keep(): void {
    const added = this.#added
    if (added.length === 0) return
    this.#session.change(data => {
      data[KEY] = [...((data[KEY] as Message[] | undefined) ?? []), ...added].slice(-MOST)
    })
    this.#added = []
  }
}
