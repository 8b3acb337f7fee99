/** "edge/app" as apps see it: the app, with the methods that later rooms give it. */
import { installFeeds } from "./feeds/install.ts"
import { installSitemap } from "./sitemap/install.ts"

export * from "./app/module.ts"
// Keeps the methods' types in the declarations that `edge types` writes: an import that is only called is left out of them.
export type * from "./feeds/install.ts"
export type * from "./sitemap/install.ts"

installFeeds()
installSitemap()
