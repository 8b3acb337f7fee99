import type { GenericSchema } from "valibot"
import { checkOptions, type Shape } from "edge"
import { App } from "../app/app.ts"
import { absoluteUrl } from "../app/request.ts"
import type { Section } from "./section.ts"
import type { Sitemap, SitemapSettings } from "./sitemap.ts"

export interface RobotsSettings {
  /** Paths that robots are asked to leave alone; a request, no lock. */
  readonly disallow?: readonly string[]
  readonly allow?: readonly string[]
}

declare module "../app/app.ts" {
  // oxlint-disable-next-line no-unused-vars
  interface App<S extends GenericSchema = GenericSchema> {
    /** A sitemap at `path`: `app.sitemap("/sitemap.xml", { posts: Post.published, pages: ["/", "/about"] })`. */
    sitemap(path: string, sections: Readonly<Record<string, Section>>, settings?: SitemapSettings): this
    /** `/robots.txt`, with the app's sitemaps. */
    robots(settings?: RobotsSettings): this
  }
}

const SITEMAP: Shape<SitemapSettings> = { maxAge: "number", limits: "object" }
const ROBOTS: Shape<RobotsSettings> = { disallow: "list", allow: "list" }

const known = new WeakMap<App<any>, string[]>()

/** Gives apps `sitemap` and `robots`. What sitemaps are built with is loaded when the first one is asked for. */
export function installSitemap(): void {
  App.prototype.sitemap = function sitemap(path, sections, settings = {}) {
    checkOptions("app.sitemap()", settings, SITEMAP)
    const match = /^((?:\/[^/]+)*?)\/([A-Za-z0-9_-]+)\.xml$/.exec(path)
    if (match === null) throw new Error(`app.sitemap("${path}"): the path ends in a name and .xml, as "/sitemap.xml"`)
    for (const name of Object.keys(sections)) if (!/^[A-Za-z][A-Za-z0-9]*$/.test(name)) throw new Error(`app.sitemap("${path}"): section "${name}": a name has only letters and digits`)
    const [, folder = "", stem = ""] = match
    const sitemaps = known.get(this) ?? []
    known.set(this, [...sitemaps, path])
    let made: Promise<Sitemap> | undefined
    const get = () => (made ??= import("./sitemap.ts").then(({ Sitemap }) => new Sitemap(this, sections, settings)))
    this.onShutdown(async () => {
      const stopping = made
      made = undefined
      await (await stopping)?.stop()
    })
    if (sitemaps.length === 0) this.deployChecks.push(() => (this.siteUrl === undefined ? [NO_URL] : []))
    const urlOf = (name: string) => `${folder}/${stem}-${name}.xml`
    this.get(`${folder}/:file{${stem}(?:-[A-Za-z0-9]+-[0-9]+)?\\.xml(?:\\.gz)?}`, async (c, next) => {
      const [, name = "", gz] = /^(?:-(.+))?\.xml(\.gz)?$/.exec(c.req.param("file").slice(stem.length))!
      return (await (await get()).answer(c, { name, gz: gz !== undefined }, urlOf)) ?? next()
    })
    return this
  }

  App.prototype.robots = function robots(settings = {}) {
    checkOptions("app.robots()", settings, ROBOTS)
    this.get("/robots.txt", c => {
      const lines = ["User-agent: *", ...(settings.allow ?? []).map(path => `Allow: ${path}`), ...(settings.disallow?.length ? settings.disallow : [""]).map(path => `Disallow: ${path}`.trimEnd())]
      const sitemaps = (known.get(this) ?? []).map(path => `Sitemap: ${absoluteUrl(c, path)}`)
      return c.text(`${lines.join("\n")}\n${sitemaps.length > 0 ? `\n${sitemaps.join("\n")}\n` : ""}`)
    })
    return this
  }
}

const NO_URL = {
  level: "warning",
  text: "The sitemap's addresses are made from the Host that a request names.",
  cure: 'Say where the site is: new App({ url: "https://example.com" }), or SITE_URL.',
} as const
