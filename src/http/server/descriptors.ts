/**
 * Out of descriptors a process can do nothing: no upstream, no file, no log. So a front keeps some in reserve: a connection
 * that would take one of them is let in only when idle ones were closed for it, those first that have said nothing
 * for the longest time (nginx does so with its reusable connections). The kernel gives out the lowest free number, so the number of a new
 * connection's descriptor says in one comparison how many are in use.
 */
import type { Socket } from "bun"
import { readFileSync } from "node:fs"
import type { Accepted } from "./accepted.ts"
import type { Logger } from "../../log/logger.ts"

type Connections = ReadonlySet<Socket<Accepted>>

/** Of the limit: requests need as many again for workers, upstreams and files. */
const RESERVE_SHARE = 4
const LEAST_RESERVE = 16
const MOST_RESERVE = 2048
/** Closed at once: to look at all connections for each new one would be the attacker's gain. */
const BATCH_SHARE = 16
const LEAST_BATCH = 8
/** A client that was served has said so much less: strangers who open connections and say nothing go before it. */
const SERVED_MS = 1000
/** Said when it begins, and so often while it lasts. */
const SAY_MS = 10_000

export class Descriptors {
  readonly #limit: number
  /** Numbers from here on are the reserve. */
  readonly #high: number
  readonly #all = new Set<Connections>()
  #shed = 0
  #refused = 0
  #saidAt = -Infinity

  constructor(limit: number) {
    this.#limit = limit
    this.#high = limit - Math.min(MOST_RESERVE, Math.max(LEAST_RESERVE, Math.floor(limit / RESERVE_SHARE)))
  }

  /** Connections that may be closed while they are idle. */
  join(connections: Connections): void {
    this.#all.add(connections)
  }

  leave(connections: Connections): void {
    this.#all.delete(connections)
  }

  /** False when the connection has to go: it would take what is kept, and nobody is idle. */
  enter(socket: Socket<Accepted>, log: Logger): boolean {
    if ((socket as unknown as { fd: number }).fd < this.#high) return true
    const closed = this.#closeIdle()
    this.#shed += closed
    if (closed === 0) this.#refused++
    this.#say(log)
    return closed > 0
  }

  #closeIdle(): number {
    const idle: Accepted[] = []
    let open = 0
    for (const connections of this.#all) {
      open += connections.size
      for (const { data } of connections) if (data.idleSince !== Infinity) idle.push(data)
    }
    const victims = idle.toSorted((a, b) => order(a) - order(b)).slice(0, Math.max(LEAST_BATCH, Math.floor(open / BATCH_SHARE)))
    for (const victim of victims) {
      if (victim.requests === 0) victim.destroy()
      else victim.leave()
    }
    return victims.length
  }

  #say(log: Logger): void {
    const now = performance.now()
    if (now - this.#saidAt < SAY_MS) return
    log.warn("nearly out of file descriptors: idle connections are closed, then new ones; raise ulimit -n (LimitNOFILE=)", {
      limit: this.#limit,
      closed: this.#shed,
      refused: this.#refused,
    })
    this.#saidAt = now
    this.#shed = this.#refused = 0
  }
}

function order({ idleSince, requests }: Accepted): number {
  return requests === 0 ? idleSince : idleSince + SERVED_MS
}

/** "Max open files            1024                 524288               files"; where there is no such file, no limit is kept. */
function softLimit(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}

let known: Descriptors | undefined

/** Of this process. */
export function descriptors(): Descriptors {
  return (known ??= new Descriptors(softLimit()))
}
