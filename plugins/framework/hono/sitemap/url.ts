import { absolute } from "../feeds/clean.ts"

export type ChangeFrequency = "always" | "hourly" | "daily" | "weekly" | "monthly" | "yearly" | "never"

/** One page. URLs may be paths of the site. */
export interface SitemapUrl {
  readonly url: string
  readonly lastModified?: Date
  readonly changes?: ChangeFrequency
  /** 0 to 1, among the pages of this site. */
  readonly priority?: number
  /** The page in each language, its own too: `{ en: "/en/x", pl: "/pl/x", "x-default": "/x" }`. */
  readonly alternates?: Readonly<Record<string, string>>
  /** Pictures on the page. */
  readonly images?: readonly string[]
}

/** Longest address that the protocol takes. */
const MAX_LOC = 2048
const MAX_IMAGES = 1000
const LANG = /^(?:x-default|[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{2,8})*)$/

/** The `<url>` element; undefined for an address that a sitemap of this site cannot have (another site's, too long). */
export function toXml(page: SitemapUrl, base: string): string | undefined {
  const loc = absolute(page.url, base)
  // `base` ends in a slash: https://example.com.evil.example/ is another site.
  if (loc === undefined || loc.length > MAX_LOC || !loc.startsWith(base)) return undefined
  const element: Record<string, Bun.XML.Value | Bun.XML.Value[]> = { loc }
  if (page.lastModified !== undefined && !Number.isNaN(page.lastModified.getTime())) element.lastmod = page.lastModified.toISOString()
  if (page.changes !== undefined) element.changefreq = page.changes
  if (page.priority !== undefined) element.priority = Math.min(1, Math.max(0, page.priority)).toFixed(1)
  const links = Object.entries(page.alternates ?? {}).flatMap(([lang, url]) => {
    const href = absolute(url, base)
    return href === undefined || !LANG.test(lang) ? [] : [{ "@rel": "alternate", "@hreflang": lang, "@href": href }]
  })
  if (links.length > 0) element["xhtml:link"] = links
  const images = (page.images ?? []).slice(0, MAX_IMAGES).flatMap(image => absolute(image, base) ?? [])
  if (images.length > 0) element["image:image"] = images.map(image => ({ "image:loc": image }))
  return Bun.XML.stringify({ url: element })
}
