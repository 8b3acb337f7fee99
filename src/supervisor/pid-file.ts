import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { unlinkQuietly } from "./run-folder.ts"

/** The supervisor's process id for scripts. Written whole: a reader never sees half a number. */
export class PidFile {
  #path: string | undefined

  write(path: string | undefined): void {
    if (path === this.#path) return
    this.remove()
    if (path === undefined) return
    const fresh = `${path}.${process.pid}`
    unlinkQuietly(fresh)
    // "wx" follows no link: the folder may be somebody else's, and we root.
    writeFileSync(fresh, `${process.pid}\n`, { mode: 0o644, flag: "wx" })
    renameSync(fresh, path)
    this.#path = path
  }

  /** Unless a newer executable has put its own there. */
  remove(): void {
    const path = this.#path
    this.#path = undefined
    if (path === undefined) return
    try {
      if (readFileSync(path, "utf8").trim() === String(process.pid)) unlinkQuietly(path)
    } catch {
      // Somebody removed it.
    }
  }
}
