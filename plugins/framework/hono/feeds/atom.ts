import type { Channel, ChannelItem } from "./channel.ts"
import type { FeedPerson } from "./item.ts"
import { document } from "./xml.ts"

/** Atom 1.0 (RFC 4287). */
export function toAtom(channel: Channel): string {
  const self = channel.self.atom
  return document("feed", {
    "@xmlns": "http://www.w3.org/2005/Atom",
    "@xml:lang": channel.language,
    id: self ?? channel.home,
    title: channel.title,
    subtitle: channel.description,
    updated: channel.updated.toISOString(),
    // Needed as long as an entry has none of its own (section 4.1.1).
    author: (channel.authors ?? [{ name: channel.title }]).map(toPerson),
    link: [...(self === undefined ? [] : [{ "@rel": "self", "@type": "application/atom+xml", "@href": self }]), { "@rel": "alternate", "@type": "text/html", "@href": channel.home }],
    icon: channel.icon,
    logo: channel.image,
    rights: channel.copyright,
    entry: channel.items.map(toEntry),
  })
}

function toEntry(item: ChannelItem): Record<string, unknown> {
  return {
    "@xml:lang": item.language,
    id: isUri(item.id) ? item.id : item.url,
    title: item.title,
    updated: item.updated.toISOString(),
    published: item.date.toISOString(),
    author: item.authors?.map(toPerson),
    category: item.tags?.map(tag => ({ "@term": tag })),
    link: [
      { "@rel": "alternate", "@type": "text/html", "@href": item.url },
      ...(item.enclosures ?? []).map(({ url, type, bytes, title }) => ({ "@rel": "enclosure", "@href": url, "@type": type, "@length": bytes?.toString(), "@title": title })),
    ],
    summary: item.summary,
    content: item.html === undefined ? undefined : { "@type": "html", "#text": item.html },
  }
}

function toPerson({ name, url, email }: FeedPerson): Record<string, unknown> {
  return { name, uri: url, email: email !== undefined && /^[^@\s]+@[^@\s]+$/.test(email) ? email : undefined }
}

/** An id is an absolute URI (section 4.2.6): "tag:example.com,2026:1", "urn:uuid:...", a URL. */
function isUri(id: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\S+$/i.test(id)
}
