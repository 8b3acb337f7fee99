/** Paths -> what answers them, from memory while the files are unchanged. */
import { closeSync, readSync } from "node:fs"
import type { Encoding } from "edge"
import { FileCache } from "./file-cache.ts"
import { type Built, build, toVariant, type Variant } from "./variants.ts"
import { NegativeCache } from "./negative-cache.ts"
import type { OpenFile, Root, Stamp } from "./root.ts"
import type { StaticConfig } from "./schema.ts"
import type { MimeTypes } from "./mime-types.ts"

/** What a path is: an entry to answer with, or where to go instead. */
export type Found = CachedFile | "slash" | "listing" | null

/** A file and its precompressed sidecars, as they were when last looked at. */
export interface CachedFile extends Built {
  readonly file: string
  /** Milliseconds of the monotonic clock. */
  checkedMs: number
  /** Asked for since the cache last looked for room. */
  used: boolean
}

interface Located {
  readonly file: string
  readonly stamp: Stamp
  readonly sidecars: readonly Sidecar[]
}
interface Sidecar {
  readonly encoding: Encoding
  readonly file: string
  readonly stamp: Stamp
}

const extensions: Readonly<Record<Encoding, string>> = { br: ".br", zstd: ".zst", gzip: ".gz" }
/** A sidecar may be older than its file by this: archives keep times to 2 s. Past it, it is of an earlier version. */
const SIDECAR_SLACK_NS = 2_000_000_000n

export interface FilesOptions {
  readonly config: StaticConfig
  readonly root: Root
  readonly types: MimeTypes
  /** How long an answer may be given without looking at the disk. */
  readonly checkMs: number
}

export class Files {
  readonly #root: Root
  readonly #types: MimeTypes
  readonly #checkMs: number
  readonly #index: readonly string[]
  readonly #browse: boolean
  readonly #encodings: readonly Encoding[]
  readonly #maxFile: number
  readonly #cache: FileCache
  readonly #negativeCache: NegativeCache

  constructor({ config, root, types, checkMs }: FilesOptions) {
    const { cache, precompressed } = config
    this.#root = root
    this.#types = types
    this.#checkMs = checkMs
    this.#index = config.index
    this.#browse = config.browse
    this.#encodings = precompressed === true ? ["br", "zstd", "gzip"] : precompressed === false ? [] : precompressed
    this.#maxFile = cache === false ? 0 : cache.max_file
    this.#cache = new FileCache(cache === false ? { bytes: 0, files: 1000 } : { bytes: cache.size, files: cache.files })
    this.#negativeCache = new NegativeCache({ ttlMs: checkMs, entries: 4096 })
  }

  /** `path` is in normal form; `nowMs` of the monotonic clock. A hit costs one Map look-up. */
  find(path: string, nowMs: number): Found {
    const entry = this.#cache.get(path)
    if (entry !== undefined && nowMs - entry.checkedMs < this.#checkMs) return entry
    return this.#findOnDisk(path, { entry, nowMs })
  }

  /** Opens a file that is too large for memory; null when it is no longer the one of the entry. */
  open(variant: Variant): OpenFile | null {
    const opened = this.#root.open(variant.file)
    if (opened === null) return null
    if (same(opened.stamp, variant.stamp)) return opened
    closeSync(opened.fd)
    return null
  }

  /** Forgets the path, so that the next look is at the disk. */
  forget(path: string): void {
    this.#cache.delete(path)
  }

  #findOnDisk(path: string, { entry, nowMs }: { entry: CachedFile | undefined; nowMs: number }): Found {
    if (entry === undefined && this.#negativeCache.has(path, nowMs)) return null
    const located = this.#locate(path)
    if (located === null || typeof located === "string") {
      if (entry !== undefined) this.#cache.delete(path)
      if (located === null) this.#negativeCache.add(path, nowMs)
      return located
    }
    if (entry !== undefined && isStill(entry, located)) {
      entry.checkedMs = nowMs
      return entry
    }
    const made = this.#load(located, nowMs)
    if (made === null) {
      this.#cache.delete(path)
      this.#negativeCache.add(path, nowMs)
    } else this.#cache.set(path, made)
    return made
  }

  #locate(path: string): Located | "slash" | "listing" | null {
    const name = this.#root.locate(path)
    if (name === null) return null
    if (path.endsWith("/")) return this.#locateIndex(name)
    const found = this.#root.stat(name)
    if (found === null) return null
    if (found.kind === "file") return this.#withSidecars(name, found.stamp)
    const inside = this.#locateIndex(`${name}/`)
    return inside === null ? null : "slash"
  }

  #locateIndex(folder: string): Located | "listing" | null {
    for (const index of this.#index) {
      const found = this.#root.stat(folder + index)
      if (found?.kind === "file") return this.#withSidecars(folder + index, found.stamp)
    }
    return this.#browse && this.#root.stat(folder)?.kind === "folder" ? "listing" : null
  }

  #withSidecars(file: string, stamp: Stamp): Located {
    const sidecars: Sidecar[] = []
    for (const encoding of this.#encodings) {
      const name = file + extensions[encoding]
      const found = this.#root.stat(name)
      if (found?.kind !== "file" || found.stamp.mtimeNs + SIDECAR_SLACK_NS < stamp.mtimeNs) continue
      sidecars.push({ encoding, file: name, stamp: found.stamp })
    }
    return { file, stamp, sidecars }
  }

  #load({ file, sidecars }: Located, nowMs: number): CachedFile | null {
    const facts = { type: this.#types.of(file), vary: sidecars.length > 0 }
    const identity = this.#read({ file, encoding: "" }, facts)
    if (identity === null) return null
    const encoded = sidecars.map(sidecar => this.#read(sidecar, facts)).filter(variant => variant !== null)
    return { ...build([identity, ...encoded]), file, checkedMs: nowMs, used: false }
  }

  /** With its bytes only where the file was the same before and after they were read. */
  #read({ file, encoding }: { file: string; encoding: Encoding | "" }, facts: { type: string; vary: boolean }): Variant | null {
    const opened = this.#root.open(file)
    if (opened === null) return null
    const { fd, stamp } = opened
    try {
      const bytes = stamp.size > this.#maxFile ? null : readAll(fd, Number(stamp.size))
      const after = bytes === null ? null : this.#root.stat(file)
      const whole = after !== null && same(after.stamp, stamp)
      return toVariant({ file, encoding, stamp, bytes: whole ? bytes : null }, facts)
    } finally {
      closeSync(fd)
    }
  }
}

/** Read into and copied from at once; a buffer of its own for each file would be as much garbage as there are files. */
const scratch = Buffer.allocUnsafeSlow(1 << 20)

/** Null when the file is shorter by now. */
function readAll(fd: number, size: number): Buffer | null {
  const bytes = size <= scratch.length ? scratch.subarray(0, size) : Buffer.allocUnsafeSlow(size)
  let done = 0
  while (done < size) {
    const read = readSync(fd, bytes, done, size - done, done)
    if (read === 0) return null
    done += read
  }
  return bytes
}

/** True while the files are the ones that the entry was made from. */
function isStill(entry: CachedFile, located: Located): boolean {
  if (entry.file !== located.file || entry.fresh || entry.variants.length !== located.sidecars.length + 1) return false
  return entry.variants.every((variant, i) => same(variant.stamp, i === 0 ? located.stamp : located.sidecars[i - 1]!.stamp))
}

function same(a: Stamp, b: Stamp): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.dev === b.dev
}
