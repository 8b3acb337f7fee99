/** Certificates in files that somebody renews (certbot, a cron job): what is new is tried, and then the fronts' at once. */
import { statSync } from "node:fs"
import { resolve } from "node:path"
import type { Plan } from "../../generation/plan.ts"
import type { Logger } from "../../log/logger.ts"
import { keepPrivateFiles, namedPairs, readPrivateFiles } from "../../processes/private-files.ts"
import { reason } from "../../errors.ts"
import type { FrontSet } from "../fronts/front-set.ts"

/** Two stats for each pair. What changes is taken up when it has stood still for one look: a key is written after its certificate. */
const LOOK_MS = 1000

export class CertificateFiles {
  #timer: ReturnType<typeof setInterval> | undefined

  /** Of the set that serves. */
  follow(set: FrontSet, { plan, log }: { plan: Plan; log: Logger }): void {
    this.stop()
    const pairs = namedPairs(plan.config.tree).map(([cert, key]) => ({ cert: resolve(plan.config.dir, cert), key: resolve(plan.config.dir, key) }))
    if (pairs.length === 0) return
    const look = (): string => pairs.map(({ cert, key }) => `${mark(cert)} ${mark(key)}`).join()
    let taken = look()
    let last = taken
    this.#timer = setInterval(() => {
      const now = look()
      if (now === last && now !== taken) {
        taken = now
        void this.#take(set, { plan, pairs, log })
      }
      last = now
    }, LOOK_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #take(set: FrontSet, { plan, pairs, log }: { plan: Plan; pairs: readonly { cert: string; key: string }[]; log: Logger }): Promise<void> {
    try {
      const files = readPrivateFiles(plan.config)
      keepPrivateFiles(files)
      // 30 ms and 3 MB of parsers: only when there is something to parse.
      const { readTlsPair } = await import("../../http/server/tls-pair.ts")
      for (const pair of pairs) await readTlsPair(pair, (_, why) => new Error(why))
      set.changeFiles(files)
      log.info("new certificates are served", { files: pairs.map(({ cert }) => cert).join() })
    } catch (error) {
      log.error(`the files of certificates have changed and cannot be used; the old ones are served: ${reason(error)}`)
    }
  }
}

/** What a change changes. Links are followed: certbot moves one. */
function mark(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file)
    return `${ino}:${size}:${mtimeMs}`
  } catch {
    // Gone, or behind a folder that was closed to us: a change like any other.
    return "-"
  }
}
