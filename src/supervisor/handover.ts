/**
 * USR2: a new executable takes the place of the running one. It is started as edge was, with the listening sockets as
 * descriptors 3 and on; when it serves it says so, and the old one leaves. If it cannot start, nothing has changed.
 */
import { describeExit } from "./front-process.ts"
import { compiled } from "./self.ts"
import type { ListeningSocket } from "./sockets.ts"

/** In the environment of a successor: the addresses of its sockets as in the config, a JSON list; LISTEN_FDS is their number. */
export const HANDOVER = "EDGE_HANDOVER"
const SERVING = "serving"

/** Told by a successor to its predecessor; nothing for everybody else. */
export function tellPredecessor(): void {
  if (process.env[HANDOVER] === undefined || process.send === undefined || !process.connected) return
  process.send(SERVING)
  process.disconnect?.()
}

/** Resolves when the new executable serves; rejects when it ended before. */
export function startSuccessor(sockets: readonly ListeningSocket[]): Promise<{ readonly pid: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly pid: number }>()
  const child = Bun.spawn([...ourFile(), ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", ...sockets.map(({ fd }) => fd)],
    env: { ...process.env, LISTEN_FDS: String(sockets.length), [HANDOVER]: JSON.stringify(sockets.map(({ address }) => address)) },
    detached: true,
    serialization: "json",
    ipc: message => {
      if (message === SERVING) resolve({ pid: child.pid })
    },
  } as Bun.SpawnOptions.OptionsObject<"inherit", "inherit", "inherit">)
  void child.exited.then(code => reject(new Error(`the new executable ${describeExit({ code, signal: child.signalCode as string | null })}`)))
  return promise
}

/** By its path: what stands there now is the new one. */
function ourFile(): string[] {
  return compiled() ? [process.execPath] : [process.execPath, Bun.main]
}
