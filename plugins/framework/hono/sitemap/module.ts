/** "edge/sitemap": what apps use beside `app.sitemap()`. */
export type { ChangeFrequency, SitemapUrl } from "./url.ts"
export type { RobotsSettings } from "./install.ts"
export type { Pages, Section } from "./section.ts"
export type { SitemapSettings } from "./sitemap.ts"
export { MAX_BYTES, MAX_URLS } from "./file.ts"
