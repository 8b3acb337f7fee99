import { definePlugin } from "edge"
import * as v from "valibot"

type Page = string | ((request: Request) => string | Promise<string>)

/** A framework in one file: an app's module exports `pages`, a path and its HTML each. */
export default definePlugin({
  name: "pages",
  kind: "framework",
  config: v.strictObject({ title: v.optional(v.string(), "Pages") }),
  setup: ({ title }) => ({
    part: {
      load(module, app) {
        const pages = module.pages as Record<string, Page> | undefined
        if (pages === undefined) throw new Error(`${app.name}: the entry must export "pages"; it has ${Object.keys(module).join(", ") || "nothing"}`)
        return {
          async fetch(request) {
            const page = pages[new URL(request.url).pathname]
            if (page === undefined) return new Response("no such page\n", { status: 404 })
            const body = typeof page === "string" ? page : await page(request)
            return new Response(`<!doctype html><title>${Bun.escapeHTML(title)}</title>${body}`, {
              headers: { "Content-Type": "text/html; charset=utf-8" },
            })
          },
        }
      },
    },
  }),
})
