/** The supervisor's private folder: workers' sockets, shared pages, files of runtimes. Made for the first pool. */
import { chownSync, chmodSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Identity, isRoot } from "./identity.ts"

export class RunFolder {
  #path: string | undefined
  #pools = 0
  readonly #onMade: (path: string) => void

  constructor(onMade: (path: string) => void) {
    this.#onMade = onMade
  }

  #make(): string {
    // Under /run where that is ours: /tmp is swept by age on some systems, and sockets there would go with it.
    const path = makeFolder(isRoot() ? ["/run", tmpdir()] : [process.env.XDG_RUNTIME_DIR ?? tmpdir(), tmpdir()])
    // Others may pass through to a pool's folder but not look around.
    if (isRoot()) chmodSync(path, 0o711)
    this.#onMade(path)
    return path
  }

  /** A folder for one pool. Short names: a unix socket's path has 107 bytes. */
  poolFolder(owner: Identity | undefined, fronts: Identity | undefined): string {
    const path = join((this.#path ??= this.#make()), `p${++this.#pools}`)
    mkdirSync(path, { mode: 0o700 })
    if (isRoot() && (owner !== undefined || fronts !== undefined)) {
      // The worker's user writes, the fronts' group passes through, nobody else sees it.
      chownSync(path, owner?.uid ?? 0, fronts?.gid ?? 0)
      chmodSync(path, 0o710)
    }
    return path
  }

  remove(): void {
    if (this.#path !== undefined) rmSync(this.#path, { recursive: true, force: true })
  }
}

function makeFolder(parents: readonly string[]): string {
  let failure: unknown
  for (const parent of parents) {
    try {
      return mkdtempSync(join(parent, "edge-"))
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

/** Writes a runtime's files, readable by the worker. Names are plain: no runtime writes elsewhere. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>, owner: Identity | undefined): void {
  for (const [name, text] of Object.entries(files)) {
    if (name.includes("/") || name.startsWith(".")) throw new Error(`a launch file cannot be named ${JSON.stringify(name)}`)
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    if (owner !== undefined && isRoot()) chownSync(path, owner.uid, owner.gid)
  }
}

export function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It was never made, or is gone.
  }
}
