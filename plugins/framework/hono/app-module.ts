/** "edge/app" as apps see it: the app, with the methods that later rooms give it. */
import { installFeeds } from "./feeds/install.ts"
import { installSitemap } from "./sitemap/install.ts"

export * from "./app/module.ts"

installFeeds()
installSitemap()
