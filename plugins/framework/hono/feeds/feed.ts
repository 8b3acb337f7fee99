import type { Awaitable } from "edge"
import type { Ctx } from "../app/env.ts"
import { absoluteUrl } from "../app/request.ts"
import type { AnyModel } from "../db/model.ts"
import { toAtom } from "./atom.ts"
import { type Channel, type FeedFacts, type FeedFormat, toChannel } from "./channel.ts"
import { checkItem, type FeedItem, toItem } from "./item.ts"
import { toJsonFeed } from "./json-feed.ts"
import { FEED_TYPES } from "./paths.ts"
import { toRss } from "./rss.ts"

export interface FeedSettings<T = any> extends FeedFacts {
  /** Newest first: a query (`Post.published.limit(20)`), or items. What comes after the first 100 is left out. */
  readonly items: (c: Ctx) => PromiseLike<readonly T[]> | readonly T[]
  /** A row as an item; default from its model: `url`, title, dates, Markdown, picture. */
  readonly item?: (row: T, c: Ctx) => Awaitable<FeedItem>
  /** Default all three: `/feed.xml` (RSS), `/feed.atom`, `/feed.json`. */
  readonly formats?: readonly FeedFormat[]
  /** How long readers may keep it, in seconds; default 300. */
  readonly maxAge?: number
}

const WRITERS: Readonly<Record<FeedFormat, (channel: Channel) => string>> = { rss: toRss, atom: toAtom, json: toJsonFeed }

/** Readers read the newest; older ones are pages of the site. */
const MOST_ITEMS = 100

/** The feed in one format, or 304 when the reader has it (RFC 9110 section 13). */
export async function answerFeed(c: Ctx, settings: FeedSettings, which: { format: FeedFormat; paths: ReadonlyMap<FeedFormat, string> }): Promise<Response> {
  const channel = await channelOf(c, settings, which.paths)
  const body = WRITERS[which.format](channel)
  const etag = `"${Bun.hash(body).toString(36)}"`
  const headers: Record<string, string> = {
    "Content-Type": `${FEED_TYPES[which.format]}; charset=utf-8`,
    "Cache-Control": `public, max-age=${settings.maxAge ?? 300}`,
    ETag: etag,
    ...(channel.items.length > 0 && { "Last-Modified": channel.updated.toUTCString() }),
  }
  return isFresh(c.req.raw.headers, etag, channel.updated) ? new Response(null, { status: 304, headers }) : new Response(body, { headers })
}

async function channelOf(c: Ctx, settings: FeedSettings, paths: ReadonlyMap<FeedFormat, string>): Promise<Channel> {
  const asked = settings.items(c)
  const rows = (await asked).slice(0, MOST_ITEMS)
  const model = (asked as { model?: AnyModel }).model
  const items = await Promise.all(rows.map(async row => (settings.item !== undefined ? checkItem(await settings.item(row, c)) : model === undefined ? checkItem(row) : toItem(model, row))))
  const self = Object.fromEntries([...paths].map(([format, path]) => [format, absoluteUrl(c, path)]))
  return toChannel(settings, items, { base: absoluteUrl(c, "/"), self })
}

/** The date alone is not looked at when the newest item was taken away: the feed changed, the date went back. */
function isFresh(asked: Headers, etag: string, updated: Date): boolean {
  const tags = asked.get("if-none-match")
  if (tags !== null) return tags.trim() === "*" || tags.split(",").some(tag => tag.trim().replace(/^W\//, "") === etag)
  const since = Date.parse(asked.get("if-modified-since") ?? "")
  return updated.getTime() > 0 && Math.floor(updated.getTime() / 1000) * 1000 === since
}
