/** A "worker" that somebody else runs (PHP-FPM of the system, a uWSGI): only its address is ours, no process. */
import type { WorkerProcess } from "../../contract/gateway.ts"
import type { WorkerOptions } from "./spawn.ts"

/** Is tried so often until it answers. */
const POLL_MS = 100

/** Resolves once it accepts; rejects when it does not in time. */
export async function meetRemote(
  address: string,
  options: WorkerOptions & { accepts(address: string): Promise<boolean>; bootMs: number },
): Promise<WorkerProcess> {
  const { app, index, serial, launch, signal, bootMs } = options
  const late = performance.now() + bootMs
  while (!(await options.accepts(address))) {
    if (signal?.aborted === true) throw new Error("it was told to go")
    if (performance.now() > late) throw new Error(`nothing accepts at ${address} (app ${app.name})`)
    await Bun.sleep(POLL_MS)
  }
  const left = Promise.withResolvers<{ code: number | null; signal: string | null }>()
  const leave = (): void => left.resolve({ code: 0, signal: null })
  return {
    app: app.name,
    index,
    serial,
    pid: 0,
    transport: launch.transport,
    address,
    exited: left.promise,
    kill: leave,
    drain: leave,
    memory: () => 0,
    stack: () => Promise.resolve(""),
  }
}
