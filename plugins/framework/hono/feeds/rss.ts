import type { Channel, ChannelItem } from "./channel.ts"
import { document } from "./xml.ts"

/** RSS 2.0.11 (https://www.rssboard.org/rss-specification) with Atom's link to itself, Dublin Core's names, RSS content. */
export function toRss(channel: Channel): string {
  return document("rss", {
    "@version": "2.0",
    "@xmlns:atom": "http://www.w3.org/2005/Atom",
    "@xmlns:content": "http://purl.org/rss/1.0/modules/content/",
    "@xmlns:dc": "http://purl.org/dc/elements/1.1/",
    channel: {
      title: channel.title,
      link: channel.home,
      // Required, also where there is nothing to say.
      description: channel.description ?? channel.title,
      language: channel.language,
      copyright: channel.copyright,
      lastBuildDate: channel.items.length === 0 ? undefined : channel.updated.toUTCString(),
      image: channel.image === undefined ? undefined : { url: channel.image, title: channel.title, link: channel.home },
      "atom:link": channel.self.rss === undefined ? undefined : { "@href": channel.self.rss, "@rel": "self", "@type": "application/rss+xml" },
      item: channel.items.map(toItem),
    },
  })
}

function toItem(item: ChannelItem): Record<string, unknown> {
  const [enclosure] = item.enclosures ?? []
  return {
    // An item has a title or a description; readers show the title.
    title: item.title === "" ? "—" : item.title,
    link: item.url,
    guid: item.id === item.url ? item.id : { "@isPermaLink": "false", "#text": item.id },
    pubDate: item.date.toUTCString(),
    // `author` must be an e-mail address, which nobody wants to publish.
    "dc:creator": item.authors?.map(({ name }) => name),
    category: item.tags,
    description: item.summary,
    "content:encoded": item.html,
    // RSS knows one (https://www.rssboard.org/rss-profile#element-channel-item-enclosure).
    enclosure: enclosure === undefined ? undefined : { "@url": enclosure.url, "@length": String(enclosure.bytes ?? 0), "@type": enclosure.type },
  }
}
