import { randomUUID } from "node:crypto"
import { mkdirSync, readdirSync, statSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * A file of a form. Its bytes are on disk, not in memory; it lives as long as the request. `type` is what its bytes
 * show (sniff), `name` what the client called it: to be shown, never to be used as a path.
 */
export class Upload extends File {
  readonly path: string
  readonly #size: number
  readonly #type: string

  constructor(facts: { path: string; size: number; name: string; type: string }) {
    super([], facts.name, { type: facts.type })
    this.path = facts.path
    this.#size = facts.size
    this.#type = facts.type
  }

  /** Bun's own adds a charset to texts. */
  override get type(): string {
    return this.#type
  }
  override get size(): number {
    return this.#size
  }
  get #file(): Blob {
    return Bun.file(this.path, { type: this.type })
  }
  override slice(start?: number, end?: number, type?: string): Blob {
    return this.#file.slice(start, end, type)
  }
  override stream(): ReturnType<Blob["stream"]> {
    return this.#file.stream()
  }
  override arrayBuffer(): Promise<ArrayBuffer> {
    return this.#file.arrayBuffer()
  }
  override bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#file.bytes()
  }
  override text(): Promise<string> {
    return this.#file.text()
  }
}

/** A crash leaves files behind; nothing that a request still uses is this old. In ms. */
const STALE_MS = 24 * 3600 * 1000

/** The temporary files of one request. */
export class TempFiles {
  readonly #dir: string
  readonly #made: string[] = []
  readonly #late: NodeJS.Timeout

  constructor(dir: string | undefined) {
    this.#dir = dir ?? join(tmpdir(), "edge-uploads")
    prepare(this.#dir)
    // For programs that do not use the app's middleware, which releases them at the end of the request.
    this.#late = setTimeout(() => void this.release(), 3600_000)
    this.#late.unref()
  }

  /** Path of a file that is not there yet. */
  next(): string {
    const path = join(this.#dir, randomUUID())
    this.#made.push(path)
    return path
  }

  async release(): Promise<void> {
    clearTimeout(this.#late)
    await Promise.all(this.#made.splice(0).map(path => rm(path, { force: true })))
  }
}

const swept = new Set<string>()

function prepare(dir: string): void {
  // Each time: somebody may have cleaned up while we run.
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (swept.has(dir)) return
  swept.add(dir)
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    // Another worker may be doing the same.
    const facts = statSync(path, { throwIfNoEntry: false })
    if (facts !== undefined && Date.now() - facts.mtimeMs > STALE_MS) void rm(path, { force: true })
  }
}
