/**
 * Descriptors that edge was started with. systemd's socket activation (sd_listen_fds(3)): LISTEN_FDS descriptors from 3
 * on, meant for LISTEN_PID. An older edge that hands over on USR2 gives the same, with EDGE_HANDOVER for the pid.
 */
import type { Logger } from "../log/logger.ts"
import { fromSockaddr, parseAddress, toText } from "./address.ts"
import { boundTo, C, close, closeOnExec, getOption } from "./libc.ts"
import type { InheritedSockets } from "./socket-table.ts"
import type { ListeningSocket } from "./sockets.ts"
import { adoptSocket } from "./sockets.ts"

const FIRST = 3

export class Inherited implements InheritedSockets {
  /** Descriptors by what they are bound to. */
  readonly #fds = new Map<string, number>()

  constructor(env: Readonly<Record<string, string | undefined>>, log: Logger) {
    const count = Number(env.LISTEN_FDS ?? 0)
    // Without the check of the pid a shell started by systemd would hand them on to whatever it runs.
    const ours = env.EDGE_HANDOVER !== undefined || env.LISTEN_PID === String(process.pid)
    if (!Number.isInteger(count) || count <= 0 || !ours) return
    for (let fd = FIRST; fd < FIRST + count; fd++) {
      try {
        closeOnExec(fd)
        const address = fromSockaddr(boundTo(fd))
        if (address === undefined || getOption(fd, C.SOL_SOCKET, C.SO_ACCEPTCONN) === 0) throw new Error("not a listening socket")
        this.#fds.set(toText(address), fd)
      } catch (error) {
        log.warn(`inherited descriptor ${fd} is not used: ${String(error)}`)
      }
    }
  }

  /** The socket for an address of the config. "0.0.0.0:80" is content with "[::]:80", which systemd makes of a bare port. */
  take(text: string, dir: string): ListeningSocket | undefined {
    if (this.#fds.size === 0) return undefined
    const address = parseAddress(text, dir)
    const names = [toText(address)]
    if (address.kind === "tcp" && address.ip === "0.0.0.0") names.push(toText({ ...address, ip: "::" }))
    for (const name of names) {
      const fd = this.#fds.get(name)
      if (fd === undefined) continue
      this.#fds.delete(name)
      return adoptSocket(text, fd)
    }
    return undefined
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
