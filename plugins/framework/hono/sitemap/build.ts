import { join } from "node:path"
import { toXml } from "./url.ts"
import { type Limits, MAX_BYTES, MAX_URLS, type SitemapFile, SitemapFileWriter } from "./file.ts"
import { pagesOf, type Section } from "./section.ts"

export interface BuildOptions {
  /** Origin of the site. */
  readonly base: string
  /** An empty folder for the files. */
  readonly dir: string
  /** Of one file; smaller than the protocol's for tests. */
  readonly limits?: Partial<Limits>
  /** An address that cannot be in a sitemap of this site. */
  onSkip?(url: string): void
}

/** Between two looks at what else there is to do: a million rows must not keep requests waiting. */
const BREATH = 500

/** Writes everything into as few files as the protocol takes: one of all sections, else some for each section. */
export async function build(sections: Readonly<Record<string, Section>>, options: BuildOptions): Promise<readonly SitemapFile[]> {
  const limits = { urls: MAX_URLS, bytes: MAX_BYTES, ...options.limits }
  const names = Object.keys(sections)
  const single = await writeAll(pages(sections, names), { ...options, limits, name: () => "", most: 1 })
  if (single !== undefined) return single
  const files: SitemapFile[] = []
  for (const name of names) files.push(...(await writeAll(pages(sections, [name]), { ...options, limits, name: n => `${name}-${n}`, most: MAX_URLS }))!)
  return files
}

async function* pages(sections: Readonly<Record<string, Section>>, names: readonly string[]) {
  for (const name of names) yield* pagesOf(sections[name]!)
}

interface Writing extends BuildOptions {
  readonly limits: Limits
  /** Name of the n-th file. */
  name(n: number): string
  /** Files at most; undefined is given back when more would be needed. */
  readonly most: number
}

async function writeAll(from: ReturnType<typeof pages>, how: Writing): Promise<SitemapFile[] | undefined> {
  const files: SitemapFile[] = []
  const open = (n: number) => new SitemapFileWriter(how.name(n), join(how.dir, `${how.name(n) || "all"}.xml.gz`), how.limits)
  let writer = open(1)
  let seen = 0
  try {
    for await (const page of from) {
      if (++seen % BREATH === 0) await new Promise(setImmediate)
      const xml = toXml(page, how.base)
      if (xml === undefined) {
        how.onSkip?.(page.url)
        continue
      }
      if (!writer.fits(xml)) {
        if (files.length + 1 === how.most) return undefined
        files.push(await writer.end())
        writer = open(files.length + 1)
      }
      const waiting = writer.add(xml, page.lastModified)
      if (waiting !== undefined) await waiting
    }
    // An empty section needs no file; an empty site has one.
    if (writer.urls > 0 || how.most === 1) files.push(await writer.end())
    return files
  } finally {
    writer.abort()
  }
}

/** The list of the files, for more than one. */
export function indexXml(files: readonly { readonly url: string; readonly modified: number | undefined }[]): string {
  const sitemap = files.map(({ url, modified }) => ({ loc: url, ...(modified !== undefined && { lastmod: new Date(modified).toISOString() }) }))
  return `<?xml version="1.0" encoding="UTF-8"?>\n${Bun.XML.stringify({ sitemapindex: { "@xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9", sitemap } })}\n`
}
