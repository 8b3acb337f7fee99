/** "edge/feeds": what apps use beside `app.feed()`. */
export type { FeedFacts, FeedFormat } from "./channel.ts"
export type { FeedSettings } from "./feed.ts"
export { enclosureOf, type FeedEnclosure, type FeedItem, type FeedPerson } from "./item.ts"
export { FeedLinks } from "./links.tsx"
