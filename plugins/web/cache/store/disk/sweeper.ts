/** Keeps the files within their bound, the longest unused go first; carries out purges; removes what a killed front left. */
import { readlinkSync, symlinkSync, unlinkSync } from "node:fs"
import { open, readdir, stat, unlink } from "node:fs/promises"
import { join } from "node:path"
import type { Logger } from "edge"
import { now } from "../../clock.ts"
import type { Purges } from "../../purge/purges.ts"
import { peek } from "./file.ts"
import type { Journal } from "./purge-journal.ts"

export interface SweeperOptions {
  readonly dir: string
  readonly size: number
  readonly purges: Purges
  readonly journal: Journal
  readonly log: Logger
}

const EVERY_MS = 60_000
const SOON_MS = 1000
/** After a sweep that found too much, so much of the bound is used: else every new file would ask for another. */
const FULL = 0.9
/** A front that wrote so much of the bound sweeps before its time. */
const WROTE = 0.05
/** With less than this free, also a little that was written since the last look may have been too much. */
const NEAR = 0.85
/** One second of sweeping in so many. */
const PACE = 20
/** A half-written file of a front that is gone. */
const ABANDONED_MS = 600_000
/** Enough for what is known of an answer. */
const PEEK = 32 * 1024

interface Found {
  readonly path: string
  readonly bytes: number
  readonly usedMs: number
}

export class Sweeper {
  readonly #options: SweeperOptions
  #timer: ReturnType<typeof setTimeout> | undefined
  #sweeping = false
  #again = false
  #stopped = false
  #wrote = 0
  #near = false

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#plan(SOON_MS)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  wrote(bytes: number): void {
    this.#wrote += bytes
    if (this.#wroteMuch) void this.#run()
    else if (this.#near && !this.#sweeping && this.#wrote === bytes) this.#plan(SOON_MS)
  }

  get #wroteMuch(): boolean {
    return this.#wrote > this.#options.size * WROTE
  }

  /** Something was purged. */
  soon(): void {
    this.#plan(SOON_MS)
  }

  #plan(ms: number): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#run(), ms)
    this.#timer.unref()
  }

  /** One front at a time. */
  async #run(): Promise<void> {
    if (this.#sweeping) {
      this.#again = true
      return
    }
    this.#sweeping = true
    this.#wrote = 0
    const startMs = performance.now()
    try {
      if (this.#lock()) await this.#sweep().finally(() => this.#unlock())
      else this.#again = true
    } catch (error) {
      this.#options.log.warn("the cache's disk could not be swept", { dir: this.#options.dir, error })
    }
    await this.#forget().catch(error => this.#options.log.warn("the purges of the cache cannot be read", { error }))
    this.#sweeping = false
    // What was written meanwhile the sweep has not seen.
    const again = this.#again || this.#wroteMuch || (this.#near && this.#wrote > 0)
    this.#again = false
    this.#plan(again ? Math.min(EVERY_MS, Math.max(SOON_MS, PACE * (performance.now() - startMs))) : EVERY_MS)
  }

  /** Purges that whichever front swept has carried out; an answer that was asked for before one may still be on its way. */
  async #forget(): Promise<void> {
    const { purges, journal } = this.#options
    if (purges.list.length > 0) purges.forget(now() - ABANDONED_MS, await journal.ids())
  }

  /** A link to our process id: made by one at a time, and it says whether who made it still lives. */
  get #lockPath(): string {
    return join(this.#options.dir, "sweeping")
  }

  #lock(): boolean {
    try {
      symlinkSync(String(process.pid), this.#lockPath)
      return true
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error
      if (!isAlive(this.#lockPath)) this.#unlock()
      return false
    }
  }

  #unlock(): void {
    try {
      unlinkSync(this.#lockPath)
    } catch {
      // Another front found us dead.
    }
  }

  async #sweep(): Promise<void> {
    const { dir, size, purges, journal } = this.#options
    const startedMs = now()
    const purging = purges.list.length > 0
    const found: Found[] = []
    let bytes = 0
    for (const shard of await readdir(dir)) {
      if (!/^[0-9a-f]{2}$/.test(shard)) continue
      for (const name of await readdir(join(dir, shard))) {
        const file = await look(join(dir, shard, name))
        if (file === undefined || (purging && (await this.#purged(file.path)))) continue
        found.push(file)
        bytes += file.bytes
      }
    }
    this.#near = bytes > size * NEAR
    if (bytes > size) await evict(found, bytes - size * FULL)
    if (purging) await journal.done(startedMs)
    await this.#clean()
  }

  /** Removes the file if what is in it was purged. */
  async #purged(path: string): Promise<boolean> {
    const file = await open(path).catch(() => undefined)
    if (file === undefined) return true
    try {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(PEEK), 0, PEEK, 0)
      const meta = peek(buffer.subarray(0, bytesRead))
      if (meta === null || !this.#options.purges.covers(meta)) return false
    } finally {
      await file.close()
    }
    await unlink(path).catch(() => {})
    return true
  }

  async #clean(): Promise<void> {
    const tmp = join(this.#options.dir, "tmp")
    for (const name of await readdir(tmp)) {
      const file = await look(join(tmp, name))
      if (file !== undefined && Date.now() - file.usedMs > ABANDONED_MS) await unlink(file.path).catch(() => {})
    }
  }
}

function isAlive(lock: string): boolean {
  try {
    process.kill(Number(readlinkSync(lock)), 0)
    return true
  } catch (error) {
    // Of another user, yet there.
    return (error as { code?: string }).code === "EPERM"
  }
}

async function look(path: string): Promise<Found | undefined> {
  const facts = await stat(path).catch(() => undefined)
  return facts?.isFile() === true ? { path, bytes: Math.max(facts.size, 4096), usedMs: facts.mtimeMs } : undefined
}

/** The longest unused first. */
async function evict(found: Found[], bytes: number): Promise<void> {
  let left = bytes
  for (const { path, bytes: size } of found.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (left <= 0) return
    await unlink(path).catch(() => {})
    left -= size
  }
}
