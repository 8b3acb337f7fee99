import { absolute, absoluteHtml, clean, line } from "./clean.ts"
import type { FeedItem, FeedPerson } from "./item.ts"

export type FeedFormat = "rss" | "atom" | "json"

/** What a feed says of itself. */
export interface FeedFacts {
  readonly title: string
  readonly description?: string
  /** Page that it goes with; default the site's start page. */
  readonly home?: string
  /** BCP 47: "en", "pt-BR". */
  readonly language?: string
  readonly authors?: readonly FeedPerson[]
  /** A picture, wider than it is high. */
  readonly image?: string
  /** A small square one. */
  readonly icon?: string
  readonly copyright?: string
}

/** A feed with every text clean and every URL absolute: what the formats are written from. */
export interface Channel extends Omit<FeedFacts, "home"> {
  readonly home: string
  /** Where each format is. */
  readonly self: Readonly<Partial<Record<FeedFormat, string>>>
  readonly updated: Date
  readonly items: readonly ChannelItem[]
}

export interface ChannelItem extends FeedItem {
  readonly id: string
  readonly updated: Date
}

/** `base` is the site's origin. Of two items with one id the first stays: Atom allows no second (RFC 4287 4.1.1). */
export function toChannel(facts: FeedFacts, items: readonly FeedItem[], site: { base: string; self: Channel["self"] }): Channel {
  const { base } = site
  const seen = new Set<string>()
  const clear = items.map(item => toChannelItem(item, base)).filter(item => !seen.has(item.id) && seen.add(item.id))
  const newest = Math.max(0, ...clear.map(item => item.updated.getTime()))
  return {
    title: line(facts.title),
    home: absolute(facts.home ?? "/", base) ?? base,
    self: site.self,
    updated: new Date(newest),
    items: clear,
    ...(facts.description !== undefined && { description: line(facts.description) }),
    ...(facts.language !== undefined && { language: facts.language }),
    ...some("authors", persons(facts.authors ?? [], base)),
    ...url("image", facts.image, base),
    ...url("icon", facts.icon, base),
    ...(facts.copyright !== undefined && { copyright: line(facts.copyright) }),
  }
}

function toChannelItem(item: FeedItem, base: string): ChannelItem {
  const where = absolute(item.url, base)
  if (where === undefined) throw new Error(`feed item ${JSON.stringify(item.title)}: ${JSON.stringify(item.url)} is no address of a page`)
  for (const date of [item.date, item.updated]) {
    if (date !== undefined && Number.isNaN(date.getTime())) throw new Error(`feed item ${JSON.stringify(item.title)}: it has no valid date`)
  }
  return {
    title: line(item.title),
    url: where,
    id: item.id === undefined ? where : clean(item.id),
    date: item.date,
    updated: item.updated ?? item.date,
    ...(item.summary !== undefined && { summary: clean(item.summary) }),
    ...(item.html !== undefined && { html: absoluteHtml(item.html, base) }),
    ...some("authors", persons(item.authors ?? [], base)),
    ...some("tags", (item.tags ?? []).map(line).filter(tag => tag !== "")),
    ...url("image", item.image, base),
    ...(item.language !== undefined && { language: item.language }),
    ...(item.enclosures !== undefined && {
      enclosures: item.enclosures.flatMap(enclosure => {
        const at = absolute(enclosure.url, base)
        return at === undefined ? [] : [{ ...enclosure, url: at, type: line(enclosure.type), ...(enclosure.title !== undefined && { title: line(enclosure.title) }) }]
      }),
    }),
  }
}

function persons(given: readonly FeedPerson[], base: string): FeedPerson[] {
  const clear = given.map(({ name, url: page, email }) => ({ name: line(name), ...url("url", page, base), ...(email !== undefined && { email: line(email) }) }))
  return clear.filter(({ name }) => name !== "")
}

function url<K extends string>(key: K, given: string | undefined, base: string): { [P in K]?: string } {
  const found = given === undefined ? undefined : absolute(given, base)
  return (found === undefined ? {} : { [key]: found }) as { [P in K]?: string }
}

/** No key for an empty list: JSON Feed knows no empty lists, XML no empty elements. */
function some<K extends string, T>(key: K, list: readonly T[]): { [P in K]?: readonly T[] } {
  return (list.length === 0 ? {} : { [key]: list }) as { [P in K]?: readonly T[] }
}
