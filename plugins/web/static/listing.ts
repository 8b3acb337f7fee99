/** A folder as a page. */
import { lstat, readdir, realpath, stat } from "node:fs/promises"
import type { Exchange, Reply } from "edge"
import { Prepared, textOfPath } from "edge"
import type { Root } from "./root.ts"

/** More would be a page nobody reads, and a way to keep a server busy. */
const MAX_ENTRIES = 5000

interface Item {
  readonly name: string
  readonly folder: boolean
  readonly size: number
  readonly modified: Date
}

/** How long a page is given again before the folder is read anew. */
const KEEP_MS = 1000
const MAX_PAGES = 64

export interface ListingOptions {
  readonly root: Root
  readonly hidden: boolean
}

/** Reading a folder costs a stat for each name: one reader at a time, and a page is good for a second. */
export class Listings {
  readonly #options: ListingOptions
  readonly #pages = new Map<string, { readonly atMs: number; readonly page: Promise<Prepared | null> }>()

  constructor(options: ListingOptions) {
    this.#options = options
  }

  /** Null where the folder may not be listed. */
  async answer(x: Exchange, path: string): Promise<Reply | null> {
    const key = x.prefix + x.path
    let known = this.#pages.get(key)
    if (known === undefined || x.startMs - known.atMs >= KEEP_MS) {
      if (this.#pages.size >= MAX_PAGES) this.#pages.clear()
      const page = this.#make(path, key)
      known = { atMs: x.startMs, page }
      this.#pages.set(key, known)
      page.catch(() => this.#pages.delete(key))
    }
    return (await known.page)?.reply() ?? null
  }

  async #make(path: string, title: string): Promise<Prepared | null> {
    const { root, hidden } = this.#options
    const folder = root.locate(path)
    if (folder === null || !root.mayList(folder)) return null
    const names = (await readdir(folder)).filter(name => hidden || !name.startsWith(".")).toSorted()
    const items: Item[] = []
    for (let i = 0; i < Math.min(names.length, MAX_ENTRIES); i += 64) {
      const batch = names.slice(i, Math.min(i + 64, MAX_ENTRIES)).map(name => describe(name, { root, folder }))
      for (const item of await Promise.all(batch)) if (item !== null) items.push(item)
    }
    items.sort((a, b) => Number(b.folder) - Number(a.folder))
    const html = page({ path: textOfPath(title) ?? title, items, more: Math.max(0, names.length - MAX_ENTRIES) })
    return new Prepared(200, ["Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-cache"], html)
  }
}

/** Null for what would not be served: broken links, links out of root, devices. */
async function describe(name: string, { root, folder }: { root: Root; folder: string }): Promise<Item | null> {
  const file = folder + name
  try {
    if ((await lstat(file)).isSymbolicLink() && !root.mayShow(await realpath(file), file)) return null
    const found = await stat(file)
    if (!found.isFile() && !found.isDirectory()) return null
    return { name, folder: found.isDirectory(), size: found.size, modified: found.mtime }
  } catch {
    return null
  }
}

function page({ path, items, more }: { path: string; items: readonly Item[]; more: number }): string {
  const title = Bun.escapeHTML(path)
  const rows = items.map(({ name, folder, size, modified }) => {
    // "./", so that a file named "javascript:x" or "//evil" is never a URL of its own.
    const href = Bun.escapeHTML(`./${encodeURIComponent(name)}${folder ? "/" : ""}`)
    const date = modified.toISOString()
    return `<tr><td><a href="${href}">${Bun.escapeHTML(name)}${folder ? "/" : ""}</a><td>${folder ? "" : toSize(size)}<td><time datetime="${date}">${date.slice(0, 16).replace("T", " ")}</time>`
  })
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem; font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse }
th, td { padding: .25rem .5rem; text-align: left; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent) }
td:first-child { overflow-wrap: anywhere }
th:nth-child(n+2), td:nth-child(n+2) { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
a { text-decoration: none }
a:hover { text-decoration: underline }
</style>
<main><h1>${title}</h1>
<table>
<thead><tr><th>Name<th>Size<th>Modified (UTC)</thead>
<tbody>
${path === "/" ? "" : '<tr><td><a href="../">../</a><td><td>\n'}${rows.join("\n")}
</tbody>
</table>
${more > 0 ? `<p>and ${more} more</p>\n` : ""}</main>
</html>
`
}

function toSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const units = ["kB", "MB", "GB", "TB"]
  let value = bytes / 1024
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1024
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}
