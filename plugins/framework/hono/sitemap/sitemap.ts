import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { tempFolder } from "edge"
import type { Ctx } from "../app/env.ts"
import { absoluteUrl } from "../app/request.ts"
import type { AnyApp } from "../app/app.ts"
import { build, indexXml } from "./build.ts"
import type { Limits, SitemapFile } from "./file.ts"
import type { Section } from "./section.ts"

export interface SitemapSettings {
  /** How long what was built is served before it is built anew, in seconds; default 600. */
  readonly maxAge?: number
  readonly limits?: Partial<Limits>
}

interface Built {
  readonly base: string
  readonly dir: string
  readonly files: ReadonlyMap<string, SitemapFile>
  /** How long it took. */
  readonly ms: number
  readonly at: number
}

/** Building what took longer than this is not waited for while there is an older one, ms. */
const QUICK_MS = 200

/**
 * The files of one sitemap, built when first asked for and kept compressed on disk: memory stays flat whatever the
 * number of pages. Each worker has its own.
 */
export class Sitemap {
  readonly #app: AnyApp
  readonly #sections: Readonly<Record<string, Section>>
  readonly #settings: SitemapSettings
  #dir: string | undefined
  #built: Built | undefined
  #before: Built | undefined
  #building: { base: string; done: Promise<Built> } | undefined
  #count = 0

  constructor(app: AnyApp, sections: Readonly<Record<string, Section>>, settings: SitemapSettings) {
    this.#app = app
    this.#sections = sections
    this.#settings = settings
  }

  /** `name` "" is the sitemap itself, "posts-1" one of its files; null when there is none. `urlOf` says where a file is. */
  async answer(c: Ctx, which: { name: string; gz: boolean }, urlOf: (name: string) => string): Promise<Response | null> {
    const built = await this.#current(absoluteUrl(c, "/"))
    const file = built.files.get(which.name)
    if (file !== undefined) return this.#send(c, file, which.gz)
    if (which.name !== "") return null
    const xml = indexXml([...built.files.values()].map(({ name, modified }) => ({ url: absoluteUrl(c, urlOf(name)), modified })))
    return sendIndex(c, xml, { gz: which.gz, maxAge: this.#maxAge })
  }

  async stop(): Promise<void> {
    await this.#building?.done.catch(() => {})
    const dir = this.#dir
    this.#dir = this.#built = this.#before = undefined
    if (dir !== undefined) await rm(dir, { recursive: true, force: true })
  }

  get #maxAge(): number {
    return this.#settings.maxAge ?? 600
  }

  async #current(base: string): Promise<Built> {
    const have = this.#built
    if (have === undefined || have.base !== base) return this.#rebuild(base)
    if (Date.now() - have.at < this.#maxAge * 1000) return have
    if (have.ms <= QUICK_MS) return this.#rebuild(base)
    this.#rebuild(base).catch(error => this.#app.booted.log.error("the sitemap cannot be built; an older one is served", { error }))
    return have
  }

  /** One at a time, whatever Hosts are asked for: without the app's `url` they are the visitors' words. */
  async #rebuild(base: string): Promise<Built> {
    const under = this.#building
    if (under?.base === base) return under.done
    await under?.done.catch(() => {})
    if (this.#building !== undefined) return this.#rebuild(base)
    const building = { base, done: this.#app.run(() => this.#build(base)) }
    this.#building = building
    try {
      return await building.done
    } finally {
      this.#building = undefined
    }
  }

  async #build(base: string): Promise<Built> {
    const start = Date.now()
    this.#dir ??= tempFolder("sitemap")
    const dir = join(this.#dir, String(++this.#count))
    await mkdir(dir)
    let skipped = 0
    const files = await build(this.#sections, {
      base,
      dir,
      ...(this.#settings.limits !== undefined && { limits: this.#settings.limits }),
      onSkip: url => {
        if (skipped++ === 0) this.#app.booted.log.warn("a page cannot be in the sitemap: another site's, or longer than 2048 characters", { url: url.slice(0, 200) })
      },
    })
    const made = { base, dir, files: new Map(files.map(file => [file.name, file])), ms: Date.now() - start, at: Date.now() }
    // The one before may still be on its way to a reader.
    const old = this.#before
    this.#before = this.#built
    this.#built = made
    if (old !== undefined) await rm(old.dir, { recursive: true, force: true })
    return made
  }

  #send(c: Ctx, file: SitemapFile, gz: boolean): Response {
    const packed = gz || acceptsGzip(c)
    const headers = headersFor({ gz, packed, hash: file.hash, maxAge: this.#maxAge })
    if (file.modified !== undefined) headers["Last-Modified"] = new Date(file.modified).toUTCString()
    if (isFresh(c, headers.ETag!)) return new Response(null, { status: 304, headers })
    const content = Bun.file(file.path)
    return new Response(packed ? content : (content.stream().pipeThrough(new DecompressionStream("gzip") as never) as ReadableStream), { headers })
  }
}

function sendIndex(c: Ctx, xml: string, how: { gz: boolean; maxAge: number }): Response {
  const packed = how.gz || acceptsGzip(c)
  const headers = headersFor({ ...how, packed, hash: Bun.hash(xml).toString(36) })
  if (isFresh(c, headers.ETag!)) return new Response(null, { status: 304, headers })
  return new Response(packed ? Bun.gzipSync(xml) : xml, { headers })
}

/** `/sitemap.xml.gz` is a file of its own; `/sitemap.xml` is text, on the way compressed for who takes it. */
function headersFor(what: { gz: boolean; packed: boolean; hash: string; maxAge: number }): Record<string, string> {
  return {
    "Content-Type": what.gz ? "application/gzip" : "application/xml; charset=utf-8",
    "Cache-Control": `public, max-age=${what.maxAge}`,
    ETag: `"${what.hash}${what.packed ? "-gz" : ""}"`,
    ...(!what.gz && { Vary: "Accept-Encoding" }),
    ...(what.packed && !what.gz && { "Content-Encoding": "gzip" }),
  }
}

function isFresh(c: Ctx, etag: string): boolean {
  const tags = c.req.header("if-none-match")
  return tags !== undefined && (tags.trim() === "*" || tags.split(",").some(tag => tag.trim().replace(/^W\//, "") === etag))
}

function acceptsGzip(c: Ctx): boolean {
  return (c.req.header("accept-encoding") ?? "").split(",").some(coding => /^\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(coding))
}
