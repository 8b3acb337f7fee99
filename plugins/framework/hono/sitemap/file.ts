import { once } from "node:events"
import { createWriteStream } from "node:fs"
import { finished } from "node:stream/promises"
import { createGzip } from "node:zlib"

/** What the protocol takes in one file (https://www.sitemaps.org/protocol.html): addresses, and bytes before compression. */
export const MAX_URLS = 50_000
export const MAX_BYTES = 52_428_800

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
  '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">\n'
const TAIL = "</urlset>\n"

/** Characters that are written at once. */
const CHUNK = 65_536

/** One finished file, kept compressed. */
export interface SitemapFile {
  /** "posts-1"; "" where one file is enough. */
  readonly name: string
  readonly path: string
  readonly urls: number
  /** Before compression. */
  readonly bytes: number
  /** Of its newest page, ms. */
  readonly modified: number | undefined
  /** Of the text. */
  readonly hash: string
}

export interface Limits {
  readonly urls: number
  readonly bytes: number
}

/** A file that is being written, compressed as it comes. */
export class SitemapFileWriter {
  readonly #name: string
  readonly #path: string
  readonly #limits: Limits
  readonly #gzip = createGzip()
  readonly #done: Promise<unknown>
  readonly #hash = new Bun.CryptoHasher("sha256")
  #waiting = ""
  #urls = 0
  #bytes = 0
  #modified: number | undefined

  constructor(name: string, path: string, limits: Limits) {
    this.#name = name
    this.#path = path
    this.#limits = limits
    const file = createWriteStream(path, { flags: "wx", mode: 0o600 })
    this.#gzip.pipe(file)
    this.#gzip.on("error", error => file.destroy(error))
    this.#gzip.on("close", () => void (file.writableEnded || file.destroy()))
    this.#done = finished(file)
    this.#done.catch(() => {})
    void this.#put(HEAD)
  }

  get urls(): number {
    return this.#urls
  }

  /** False when there is no room for it. */
  fits(xml: string): boolean {
    return this.#urls < this.#limits.urls && this.#bytes + Buffer.byteLength(xml) + 1 + TAIL.length <= this.#limits.bytes
  }

  /** A promise when the disk is to be waited for. */
  add(xml: string, modified: Date | undefined): Promise<void> | undefined {
    this.#urls++
    const ms = modified?.getTime() ?? Number.NaN
    if (!Number.isNaN(ms)) this.#modified = Math.max(this.#modified ?? 0, ms)
    return this.#put(`${xml}\n`)
  }

  async end(): Promise<SitemapFile> {
    void this.#put(TAIL)
    await this.#flush()
    this.#gzip.end()
    await this.#done
    return { name: this.#name, path: this.#path, urls: this.#urls, bytes: this.#bytes, modified: this.#modified, hash: this.#hash.digest("hex").slice(0, 20) }
  }

  /** Gives it up; the file is of no use. */
  abort(): void {
    this.#gzip.destroy()
  }

  /** Undefined where there is nothing to wait for: one write for each address took 40 us. */
  #put(text: string): Promise<void> | undefined {
    this.#bytes += Buffer.byteLength(text)
    this.#waiting += text
    return this.#waiting.length < CHUNK ? undefined : this.#flush()
  }

  async #flush(): Promise<void> {
    const text = this.#waiting
    this.#waiting = ""
    this.#hash.update(text)
    if (!this.#gzip.write(text)) await Promise.race([once(this.#gzip, "drain"), this.#done])
  }
}
