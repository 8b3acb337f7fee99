/**
 * Descriptors that edge was started with. systemd's socket activation (sd_listen_fds(3)): LISTEN_FDS descriptors from 3
 * on, meant for LISTEN_PID. An older edge that hands over on USR2 gives the same, with EDGE_HANDOVER for the pid.
 */
import type { Logger } from "../../log/logger.ts"
import { fromSockaddr, parseAddress, toText } from "./address.ts"
import { HANDOVER, type HandedOver } from "../reload/upgrade.ts"
import { boundTo, C, close, closeOnExec, getOption } from "../../system/libc.ts"
import type { InheritedSockets } from "./socket-table.ts"
import type { ListeningSocket } from "./listening-socket.ts"
import { adoptSocket } from "./listening-socket.ts"

const FIRST = 3

export class Inherited implements InheritedSockets {
  /** By what they are bound to; a predecessor's by its name in the config, which may say port 0. */
  readonly #fds = new Map<string, number>()
  /** Descriptors whose sockets edge has made, and not systemd. */
  readonly #ours = new Set<number>()

  constructor(env: Readonly<Record<string, string | undefined>>, log: Logger) {
    const count = Number(env.LISTEN_FDS ?? 0)
    const handedOver = env[HANDOVER]
    // Without the check of the pid a shell started by systemd would hand them on to whatever it runs.
    if (!Number.isInteger(count) || count <= 0 || (handedOver === undefined && env.LISTEN_PID !== String(process.pid))) return
    const names = handedOver === undefined ? [] : (JSON.parse(handedOver) as HandedOver[])
    for (let i = 0; i < count; i++) {
      const fd = FIRST + i
      try {
        const bound = boundListener(fd)
        const [name = bound, ours = false] = names[i] ?? []
        this.#fds.set(name, fd)
        if (ours) this.#ours.add(fd)
      } catch (error) {
        log.warn(`inherited descriptor ${fd} is not used: ${String(error)}`)
      }
    }
  }

  /** The socket for an address of the config. "0.0.0.0:80" is content with "[::]:80", which systemd makes of a bare port. */
  take(text: string, dir: string): ListeningSocket | undefined {
    if (this.#fds.size === 0) return undefined
    const address = parseAddress(text, dir)
    const names = [text, toText(address)]
    if (address.kind === "tcp" && address.ip === "0.0.0.0") names.push(toText({ ...address, ip: "::" }))
    const name = names.find(one => this.#fds.has(one))
    if (name === undefined) return undefined
    const fd = this.#fds.get(name)!
    this.#fds.delete(name)
    return adoptSocket(text, fd, { ours: this.#ours.has(fd) })
  }

  /** Those that the config does not name are closed: connections to them would wait for ever. */
  discard(log: Logger): void {
    for (const [name, fd] of this.#fds) {
      log.warn(`inherited socket ${name} is in no listen of the config; closed`)
      close(fd)
    }
    this.#fds.clear()
  }
}

/** What it listens on; throws when it does not. */
function boundListener(fd: number): string {
  closeOnExec(fd)
  const address = fromSockaddr(boundTo(fd))
  if (address === undefined || getOption(fd, C.SOL_SOCKET, C.SO_ACCEPTCONN) === 0) throw new Error("not a listening socket")
  return toText(address)
}
