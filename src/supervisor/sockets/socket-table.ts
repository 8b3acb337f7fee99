import { close } from "../../system/libc.ts"
import { holdOff, type ListeningSocket, openSocket, type SocketOptions } from "./listening-socket.ts"

/** The addresses that are open. A reload opens what is new first, and closes what nobody wants last. */
export class SocketTable {
  readonly #open = new Map<string, ListeningSocket>()

  /** Sockets of another process that become ours when the config names their address; `discard` closes the rest. */
  constructor(readonly inherited: InheritedSockets) {}

  get all(): readonly ListeningSocket[] {
    return [...this.#open.values()]
  }

  /** What is open for these addresses, and what is not yet is opened: all of it, or none and an error. */
  async prepare(addresses: readonly string[], options: SocketOptions): Promise<Prepared> {
    const fresh: ListeningSocket[] = []
    const rollback = (): void => fresh.forEach(socket => socket.close())
    try {
      const sockets: ListeningSocket[] = []
      for (const address of new Set(addresses)) {
        let socket = this.#open.get(address)
        if (socket === undefined) {
          socket = this.inherited.take(address, options.dir) ?? (await openSocket(address, options))
          fresh.push(socket)
        }
        sockets.push(socket)
      }
      return { sockets, fresh, rollback, commit: () => this.#commit(sockets) }
    } catch (error) {
      rollback()
      throw error
    }
  }

  /** Returns what is no longer wanted; the caller closes it when the fronts that use it have stopped accepting. */
  #commit(sockets: readonly ListeningSocket[]): readonly ListeningSocket[] {
    const unwanted = this.all.filter(socket => !sockets.includes(socket))
    for (const socket of unwanted) this.#open.delete(socket.address)
    for (const socket of sockets) this.#open.set(socket.address, socket)
    return unwanted
  }

  holdOff(): void {
    for (const socket of this.all) holdOff(socket)
  }

  /** Our descriptors only: another process goes on with the sockets. */
  letGo(): void {
    for (const { fd } of this.all) close(fd)
    this.#open.clear()
  }

  closeAll(): void {
    for (const socket of this.all) socket.close()
    this.#open.clear()
  }
}

export interface Prepared {
  readonly sockets: readonly ListeningSocket[]
  /** Those that were not open before. */
  readonly fresh: readonly ListeningSocket[]
  rollback(): void
  commit(): readonly ListeningSocket[]
}

/** Listening sockets that came with the process: from systemd or from an older executable. */
export interface InheritedSockets {
  take(address: string, dir: string): ListeningSocket | undefined
}
