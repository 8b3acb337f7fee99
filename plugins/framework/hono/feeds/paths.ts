import type { FeedFormat } from "./channel.ts"

export const FEED_TYPES: Readonly<Record<FeedFormat, string>> = { rss: "application/rss+xml", atom: "application/atom+xml", json: "application/feed+json" }

/** Where each format of a feed is: the path itself, and beside it the others by their ends. */
export function pathsOf(path: string, formats: readonly FeedFormat[]): ReadonlyMap<FeedFormat, string> {
  const end = /\.(xml|rss|atom|json)$/.exec(path)?.[1]
  const own: FeedFormat = end === "atom" ? "atom" : end === "json" ? "json" : formats.includes("rss") ? "rss" : formats[0]!
  const stem = end === undefined ? path : path.slice(0, -end.length - 1)
  return new Map(formats.map(format => [format, format === own ? path : `${stem}.${format}`]))
}
