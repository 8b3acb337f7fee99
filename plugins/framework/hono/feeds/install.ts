import type { GenericSchema } from "valibot"
import { checkOptions, type Shape } from "edge"
import { App } from "../app/app.ts"
import type { FeedFormat } from "./channel.ts"
import type { FeedSettings } from "./feed.ts"
import { pathsOf } from "./paths.ts"

declare module "../app/app.ts" {
  // oxlint-disable-next-line no-unused-vars
  interface App<S extends GenericSchema = GenericSchema> {
    /**
     * A feed at `path`, as RSS 2.0, Atom and JSON Feed:
     * `app.feed("/feed.xml", { title: "News", items: () => Post.published.limit(20) })`.
     */
    feed<T>(path: string, settings: FeedSettings<T>): this
    /** Feeds of this app, for `<FeedLinks />`. */
    readonly feeds: readonly FeedLink[]
  }
}

export interface FeedLink {
  readonly title: string
  readonly format: FeedFormat
  readonly path: string
}

const FEED: Shape<FeedSettings> = {
  title: "text", description: "text", home: "text", language: "text", authors: "list", image: "text", icon: "text", copyright: "text",
  items: "function", item: "function", formats: "list", maxAge: "number",
}

const known = new WeakMap<App<any>, FeedLink[]>()

/** Gives apps `feed` and `feeds`. What feeds are written with is loaded when the first one is asked for. */
export function installFeeds(): void {
  App.prototype.feed = function feed(path, settings) {
    checkOptions("app.feed()", settings ?? null, FEED)
    const formats = settings.formats ?? (["rss", "atom", "json"] as const)
    const links = known.get(this) ?? []
    known.set(this, links)
    const paths = pathsOf(path, formats)
    for (const [format, at] of paths) {
      links.push({ title: settings.title, format, path: at })
      this.get(at, async c => (await import("./feed.ts")).answerFeed(c, settings, { format, paths }))
    }
    return this
  }
  Object.defineProperty(App.prototype, "feeds", {
    configurable: true,
    get(this: App<any>) {
      return known.get(this) ?? []
    },
  })
}
