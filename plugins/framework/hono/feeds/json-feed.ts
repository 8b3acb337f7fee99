import type { Channel, ChannelItem } from "./channel.ts"
import type { FeedPerson } from "./item.ts"

/** JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/). */
export function toJsonFeed(channel: Channel): string {
  return JSON.stringify({
    version: "https://jsonfeed.org/version/1.1",
    title: channel.title,
    home_page_url: channel.home,
    feed_url: channel.self.json,
    description: channel.description,
    icon: channel.image,
    favicon: channel.icon,
    authors: channel.authors?.map(toAuthor),
    language: channel.language,
    items: channel.items.map(toItem),
  })
}

function toItem(item: ChannelItem): Record<string, unknown> {
  return {
    id: item.id,
    url: item.url,
    title: item.title === "" ? undefined : item.title,
    // One of the two must be there.
    ...(item.html === undefined ? { content_text: item.summary ?? item.title } : { content_html: item.html }),
    summary: item.summary,
    image: item.image,
    date_published: item.date.toISOString(),
    date_modified: item.updated.toISOString(),
    authors: item.authors?.map(toAuthor),
    tags: item.tags,
    language: item.language,
    attachments: item.enclosures?.map(({ url, type, bytes, seconds, title }) => ({ url, mime_type: type, title, size_in_bytes: bytes, duration_in_seconds: seconds })),
  }
}

function toAuthor({ name, url }: FeedPerson): Record<string, unknown> {
  return { name, url }
}
