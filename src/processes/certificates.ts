/** `edge __certificates`: gets and renews what is due, as the fronts' user, and ends; the supervisor starts it when something is due again. */
import { openCertificates } from "../certificates/open.ts"
import { Config, type ConfigJson } from "../config/config.ts"
import { createLogger } from "../log/logger.ts"

/** What it says at its end. */
export interface CertificatesDone {
  /** When something is due next, in milliseconds since 1970. */
  readonly nextAt: number
}

/** What is due within it is waited for; a process of its own for it would cost more. */
const STAY_MS = 20_000

/** Resolves with the exit code. */
export async function run(): Promise<number> {
  const stopped = new AbortController()
  process.on("disconnect", () => stopped.abort(new Error("the supervisor is gone")))
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => stopped.abort(new Error("edge stops")))
  const json = await new Promise<ConfigJson>(resolve => {
    process.once("message", resolve)
    process.send!("hello")
  })
  const config = Config.fromJSON(json)
  const { wanted, keeper, close } = await openCertificates(config, { log: createLogger(config.readKernel().kernel.log) })
  try {
    for (;;) {
      const nextAt = await keeper.tend(wanted, { signal: stopped.signal })
      const wait = nextAt - Date.now()
      if (wait <= STAY_MS && !stopped.signal.aborted) {
        await Bun.sleep(Math.max(wait, 100))
        continue
      }
      const done: CertificatesDone = { nextAt }
      if (process.connected) await new Promise<void>(resolve => process.send!(done, undefined, undefined, () => resolve()))
      return 0
    }
  } finally {
    await close()
  }
}
