import { Exchange, HeaderList, ByteStream } from "edge"
import type { Health } from "./health.ts"
import type { Endpoint, Server } from "../servers/endpoint.ts"

export interface ProbeRules {
  readonly path: string
  readonly everyMs: number
  readonly host: string
  /** Empty: 200 to 399. */
  readonly status: readonly number[]
  readonly fall: number
  readonly rise: number
}

/** Asks one upstream again and again whether it is well, over connections of its own. */
export class Probe {
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false
  /** Right answers in a row, or, below 0, wrong ones. */
  #streak = 0

  constructor(
    readonly endpoint: Endpoint,
    readonly of: { asking: Server; rules: ProbeRules; health: Health },
  ) {}

  start(): void {
    void this.#ask()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.of.asking.close()
  }

  async #ask(): Promise<void> {
    const { rules, health } = this.of
    const well = await this.#answersWell()
    if (this.#stopped) return
    this.#streak = well ? Math.max(this.#streak, 0) + 1 : Math.min(this.#streak, 0) - 1
    if (this.#streak >= rules.rise) health.probed(this.endpoint, false)
    else if (-this.#streak >= rules.fall) health.probed(this.endpoint, true)
    // A tenth of chance, or all fronts would ask at the same moment for ever.
    this.#timer = setTimeout(() => void this.#ask(), rules.everyMs * (0.95 + Math.random() / 10))
    this.#timer.unref()
  }

  async #answersWell(): Promise<boolean> {
    const { asking, rules } = this.of
    try {
      const reply = await asking.send(question(rules))
      if (reply.body instanceof ByteStream) reply.body.cancel()
      return rules.status.length === 0 ? reply.status >= 200 && reply.status < 400 : rules.status.includes(reply.status)
    } catch {
      return false
    }
  }
}

function question(rules: ProbeRules): Exchange {
  const [path = "/", query = ""] = rules.path.split("?")
  const headers = new HeaderList(["User-Agent", "edge-health", "Accept", "*/*"])
  if (rules.host !== "") headers.append("Host", rules.host)
  return new Exchange("GET", rules.path, path, query, rules.host, headers, "1.1", nobody, silent, null, performance.now())
}

const nobody = { peer: "unix", peerPort: 0, local: "health", secure: false, trusted: false, tls: undefined }
const silent = { upgrade: () => null, early: () => {}, onAbort: () => {} }
