/** The supervisor's private folder: workers' sockets, shared pages, files of runtimes. Made for the first pool. */
import { chmodSync, chownSync, closeSync, existsSync, fchownSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type DeclaredPage, pageFile } from "../generation/front-pages.ts"
import { type Identity, isRoot } from "../system/identity.ts"

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

  /**
   * A folder for one pool, which is its workers' own: what root does in it must not follow a link that they planted.
   * `page` begins names in our own folder, for what they may not replace. Short: a unix socket's path has 107 bytes.
   */
  poolFolder(owner: Identity | undefined, fronts: Identity | undefined): { readonly path: string; readonly page: string } {
    const path = join((this.#path ??= this.#make()), `p${++this.#pools}`)
    mkdirSync(path, { mode: 0o700 })
    if (isRoot() && (owner !== undefined || fronts !== undefined)) {
      // The worker's user writes, the fronts' group passes through, nobody else sees it.
      chownSync(path, owner?.uid ?? 0, fronts?.gid ?? 0)
      chmodSync(path, 0o710)
    }
    return { path, page: `${path}-slots` }
  }

  /** A folder that all fronts write to: the pages that they share. */
  pagesFolder(fronts: Identity | undefined): string {
    const path = join((this.#path ??= this.#make()), "fronts")
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (isRoot() && fronts !== undefined) chownSync(path, fronts.uid, fronts.gid)
    return path
  }

  /** Removes the other pages; old fronts that still use them have them mapped. */
  keepPages(pages: readonly DeclaredPage[]): void {
    const path = this.#path === undefined ? "" : join(this.#path, "fronts")
    if (path === "" || !existsSync(path)) return
    const kept = new Set(pages.map(pageFile))
    for (const name of readdirSync(path)) if (!kept.has(name)) unlinkQuietly(join(path, name))
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

/** Writes a runtime's files, readable by the worker. Made anew each time: an old name may be a worker's link to elsewhere. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>, owner: Identity | undefined): void {
  for (const [name, text] of Object.entries(files)) {
    if (name.includes("/") || name.startsWith(".")) throw new Error(`a launch file cannot be named ${JSON.stringify(name)}`)
    const path = join(folder, name)
    unlinkQuietly(path)
    const fd = openSync(path, "wx", 0o600)
    try {
      if (owner !== undefined && isRoot()) fchownSync(fd, owner.uid, owner.gid)
      writeFileSync(fd, text)
    } finally {
      closeSync(fd)
    }
  }
}

export function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It was never made, or is gone.
  }
}
