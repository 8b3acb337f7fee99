/** How many connections an address may have open at once, in all and from one client; in this front. */
import type { Socket } from "bun"
import type { Accepted } from "./accepted.ts"
import { networkOf } from "../middleware/client-key.ts"
import type { Limits } from "./limits.ts"
import type { Logger } from "../../log/logger.ts"

/** Refusals are said in the log when they begin, and counted so often while they last. */
const SAY_MS = 10_000
/** An IPv6 client has a whole network to itself. */
const IPV6_BITS = 64

export class ConnectionLimits {
  readonly #limits: Limits
  readonly #log: Logger
  readonly #local: string
  /** By client, and by connection whose it is. */
  readonly #counts = new Map<string, number>()
  readonly #inside = new Map<object, string>()
  #refused = 0
  #saidAt = -Infinity

  constructor(limits: Limits, { log, local }: { log: Logger; local: string }) {
    this.#limits = limits
    this.#log = log
    this.#local = local
  }

  /** Undefined when nothing is limited: then nothing is counted. */
  static of(limits: Limits, host: { log: Logger; local: string }): ConnectionLimits | undefined {
    return limits.connections > 0 || limits.connectionsPerIp > 0 ? new ConnectionLimits(limits, host) : undefined
  }

  /** Counts the connection; false when there are too many. `exempt`: a trusted proxy, which is many clients. */
  enter(socket: object, { peer, exempt }: { peer: string; exempt: boolean }): boolean {
    const { connections, connectionsPerIp } = this.#limits
    const client = networkOf(peer, IPV6_BITS)
    const count = this.#counts.get(client) ?? 0
    const perIp = connectionsPerIp > 0 && count >= connectionsPerIp && !exempt && peer !== "unix"
    if (perIp || (connections > 0 && this.#inside.size >= connections)) {
      this.#say(peer, perIp)
      return false
    }
    this.#counts.set(client, count + 1)
    this.#inside.set(socket, client)
    return true
  }

  leave(socket: object): void {
    const client = this.#inside.get(socket)
    if (client === undefined) return
    this.#inside.delete(socket)
    const count = this.#counts.get(client)! - 1
    if (count === 0) this.#counts.delete(client)
    else this.#counts.set(client, count)
  }

  #say(peer: string, perIp: boolean): void {
    this.#refused++
    const now = performance.now()
    if (now - this.#saidAt < SAY_MS) return
    const limit = perIp ? "connections_per_ip" : "connections"
    this.#log.warn("too many connections: new ones are closed", { limit, address: this.#local, peer, refused: this.#refused })
    this.#saidAt = now
    this.#refused = 0
  }
}

/** A refused connection: it is closed without an answer, which would cost as much as serving it. */
export function refuseConnection(socket: Socket<Accepted>): void {
  socket.data = refused
  socket.terminate()
}

const nothing = (): void => {}
const refused: Accepted = { requests: 0, long: false, idleSince: Infinity, data: nothing, drain: nothing, end: nothing, gone: nothing, leave: nothing, destroy: nothing }
