/**
 * Answers in files: shared by all fronts, and there after a restart. An answer is `<shard>/<URL>-<key>`, its variants
 * `<shard>/<URL>-<key>-<variant>`. Each is written beside and renamed, so that nobody ever reads half of one.
 */
import { mkdirSync } from "node:fs"
import { mkdir, readdir, readFile, rename, unlink, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Logger } from "edge"
import { now } from "../../clock.ts"
import type { CacheEntry } from "../entry.ts"
import type { DiskTier, Lookup } from "../../context.ts"
import type { Purge, Purges } from "../../purge/purges.ts"
import { type Selector, fits, selectorsOf, variantKey } from "../../key/vary.ts"
import { decode, encodeEntry, encodeMarker, isMarker, toEntry } from "./file.ts"
import { Journal } from "./purge-journal.ts"
import { Sweeper } from "./sweeper.ts"

export interface DiskOptions {
  readonly dir: string
  readonly size: number
  readonly purges: Purges
  readonly hitLine: readonly string[]
  /** Digest of the config. */
  readonly config: string
  readonly log: Logger
}

/** Bytes that may wait to be written; a disk that is slower than the origin must not fill the memory. */
const MOST_WAITING = 32 * 1024 * 1024
const AT_ONCE = 4
/** A full disk is logged so often. */
const COMPLAIN_MS = 60_000

export class DiskStore implements DiskTier {
  readonly #options: DiskOptions
  readonly #journal: Journal
  readonly #sweeper: Sweeper
  /** By file name; the newest only. */
  readonly #waiting = new Map<string, CacheEntry>()
  #waitingBytes = 0
  #writing = 0
  #count = 0
  #complainedMs = -Infinity
  #idle: (() => void)[] = []

  constructor(options: DiskOptions) {
    this.#options = options
    this.#journal = new Journal(options)
    this.#sweeper = new Sweeper({ ...options, journal: this.#journal })
  }

  /** Throws when the folder cannot be used. */
  start(): void {
    mkdirSync(join(this.#options.dir, "tmp"), { recursive: true, mode: 0o700 })
    this.#journal.read()
    this.#sweeper.start()
  }

  /** Resolves when what waits was written. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#sweeper.stop()
    if (this.#writing === 0 && this.#waiting.size === 0) return
    await new Promise<void>(resolve => {
      this.#idle.push(resolve)
      deadline.addEventListener("abort", () => resolve())
    })
  }

  async find({ base, extra, x }: Lookup): Promise<CacheEntry | undefined> {
    const first = nameOf(base, extra)
    const found = await this.#read(first, { base, extra })
    if (found === undefined || "prepared" in found) return found !== undefined && fits(found, x.headers) ? found : undefined
    const variant = nameOf(base, extra, selectorsOf(found.vary, x.headers))
    const entry = await this.#read(variant, { base, extra })
    return entry !== undefined && "prepared" in entry && fits(entry, x.headers) ? entry : undefined
  }

  write(entry: CacheEntry): void {
    if (entry.partial !== undefined || this.#waitingBytes + entry.cost > MOST_WAITING) return
    const name = nameOf(entry.base, entry.extra, entry.selectors)
    this.#waitingBytes += entry.cost - (this.#waiting.get(name)?.cost ?? 0)
    this.#waiting.set(name, entry)
    this.#writeNext()
  }

  remove({ base, extra, selectors }: CacheEntry): void {
    const name = nameOf(base, extra, selectors)
    this.#forget(name)
    void unlink(this.#path(name)).catch(ignore)
  }

  removeAll(base: string): void {
    const url = hashOf(base)
    for (const name of this.#waiting.keys()) if (name.startsWith(url)) this.#forget(name)
    const shard = join(this.#options.dir, url.slice(0, 2))
    const remove = async () => {
      for (const name of await readdir(shard)) if (name.startsWith(url)) await unlink(join(shard, name)).catch(ignore)
    }
    void remove().catch(ignore)
  }

  purged(purge: Purge): void {
    this.#journal.add(purge)
    this.#sweeper.soon()
  }

  #forget(name: string): void {
    const entry = this.#waiting.get(name)
    if (entry === undefined) return
    this.#waiting.delete(name)
    this.#waitingBytes -= entry.cost
  }

  #path(name: string): string {
    return join(this.#options.dir, name.slice(0, 2), name)
  }

  async #read(name: string, { base, extra }: { base: string; extra: string }): Promise<CacheEntry | { vary: readonly string[] } | undefined> {
    const path = this.#path(name)
    try {
      const bytes = await readFile(path)
      const found = decode(bytes)
      if (found === null) {
        this.#options.log.warn("a file of the cache is damaged; removed", { file: path })
        await unlink(path).catch(ignore)
        return undefined
      }
      if (isMarker(found.meta)) return found.meta
      // Names are hashes: what was stored for another URL must never be sent, however unlikely.
      if (found.meta.base !== base || found.meta.extra !== extra || this.#options.purges.covers(found.meta)) return undefined
      const seconds = Date.now() / 1000
      // Which are used is what the sweeper goes by.
      void utimes(path, seconds, seconds).catch(ignore)
      return toEntry(found.meta, { ...this.#options, body: found.body })
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") this.#complain("the cache cannot be read from its disk", error)
      return undefined
    }
  }

  // Writing ---------------------------------------------------------------------------------------------------------

  #writeNext(): void {
    while (this.#writing < AT_ONCE) {
      const [next] = this.#waiting
      if (next === undefined) break
      const [name, entry] = next
      this.#forget(name)
      this.#writing++
      void this.#writeOne(name, entry).finally(() => {
        this.#writing--
        this.#writeNext()
      })
    }
    if (this.#writing === 0 && this.#waiting.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #writeOne(name: string, entry: CacheEntry): Promise<void> {
    try {
      await this.#put(name, encodeEntry(entry, this.#options.config))
      const { base, extra, selectors } = entry
      if (selectors.length > 0) await this.#put(nameOf(base, extra), encodeMarker({ vary: selectors.map(([field]) => field) }))
      // Purged while it was written.
      if (this.#options.purges.covers(entry)) await unlink(this.#path(name)).catch(ignore)
    } catch (error) {
      this.#complain("the cache cannot be written to its disk", error)
    }
  }

  async #put(name: string, bytes: Buffer): Promise<void> {
    const path = this.#path(name)
    const made = join(this.#options.dir, "tmp", `${process.pid}-${++this.#count}-${Math.trunc(now())}`)
    try {
      await writeFile(made, bytes, { mode: 0o600, flag: "wx" })
      await rename(made, path).catch(async (error: { code?: string }) => {
        if (error.code !== "ENOENT") throw error
        await mkdir(join(path, ".."), { recursive: true, mode: 0o700 })
        await rename(made, path)
      })
    } catch (error) {
      await unlink(made).catch(ignore)
      throw error
    }
    this.#sweeper.wrote(bytes.length)
  }

  #complain(message: string, error: unknown): void {
    if (now() - this.#complainedMs < COMPLAIN_MS) return
    this.#complainedMs = now()
    this.#options.log.warn(message, { dir: this.#options.dir, error })
  }
}

function nameOf(base: string, extra: string, selectors: readonly Selector[] = []): string {
  const own = `${hashOf(base)}-${extra === "" ? "0" : hashOf(extra).slice(0, 16)}`
  return selectors.length === 0 ? own : `${own}-${hashOf(variantKey(selectors)).slice(0, 32)}`
}

/** Nobody may be able to make two URLs of one name. */
function hashOf(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 40)
}

function ignore(): void {}
