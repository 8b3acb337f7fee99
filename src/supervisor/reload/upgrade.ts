/**
 * USR2: a new executable takes the place of the running one. It is started as edge was, with the listening sockets as
 * descriptors 3 and on; when it serves it says so, and the old one leaves. If it cannot start, nothing has changed.
 */
import { describeExit } from "../fronts/front-process.ts"
import { compiled, startPath } from "../../system/self.ts"
import type { ListeningSocket } from "../sockets/listening-socket.ts"

/** Of one socket: its address as in the config, and whether its file is ours (and not systemd's). */
export type HandedOver = readonly [address: string, ours: boolean]
/** In the environment of a successor: a JSON list of HandedOver; LISTEN_FDS is their number. */
export const HANDOVER = "EDGE_HANDOVER"
const SERVING = "serving"
/** A program that is no edge would never say that it serves. Longer than the slowest honest start: check, apps, fronts. */
const START_MS = 180_000
/** A successor that is told to go gets so long to end its workers. */
const STOP_MS = 10_000

/** Told by a successor to its predecessor, which may be gone meanwhile; nothing for everybody else. */
export function tellPredecessor(): void {
  if (process.env[HANDOVER] === undefined || process.send === undefined || !process.connected) return
  try {
    process.send(SERVING)
    process.disconnect?.()
  } catch {
    // It died: nobody is left to be told.
  }
}

export interface Successor {
  /** Resolves with its pid when it serves; rejects when it ended before, or took too long. */
  readonly serving: Promise<number>
  /** Takes the order back: edge is to stop. */
  end(): void
}

/** Where the next executable is looked for; made at the start, used at USR2. */
export class Handover {
  readonly #path = startPath()

  /** Throws when nothing that can be run stands there. */
  start(sockets: readonly ListeningSocket[]): Successor {
    const { promise: serving, resolve, reject } = Promise.withResolvers<number>()
    const argv = compiled() ? [this.#path] : [this.#path, Bun.main]
    let child: Bun.Subprocess
    try {
      child = Bun.spawn([...argv, ...process.argv.slice(2)], {
        stdio: ["inherit", "inherit", "inherit", ...sockets.map(({ fd }) => fd)],
        env: { ...process.env, LISTEN_FDS: String(sockets.length), [HANDOVER]: JSON.stringify(sockets.map(({ address, setMode }): HandedOver => [address, setMode !== undefined])) },
        detached: true,
        serialization: "json",
        ipc: message => {
          if (message === SERVING) resolve(child.pid)
        },
      } as Bun.SpawnOptions.OptionsObject<"inherit", "inherit", "inherit">)
    } catch (error) {
      throw new Error(`${this.#path} cannot be run: ${(error as Error).message}`, { cause: error })
    }
    const end = (): void => {
      child.kill("SIGTERM")
      const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS)
      void child.exited.then(() => clearTimeout(late))
    }
    const timer = setTimeout(() => {
      reject(new Error(`the new executable (pid ${child.pid}) did not serve within ${START_MS / 1000} s and was ended`))
      end()
    }, START_MS)
    void serving.catch(() => {}).finally(() => clearTimeout(timer))
    void child.exited.then(code => reject(new Error(`the new executable ${describeExit({ code, signal: child.signalCode as string | null })}`)))
    return { serving, end }
  }
}
