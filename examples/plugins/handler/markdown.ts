import { readFile } from "node:fs/promises"
import { definePlugin, HeaderList, PASS, Reply } from "edge"
import * as v from "valibot"

/** Serves `notes/x.md` as the page `/x`: ends a route, like `static` or `proxy`. */
export default definePlugin({
  name: "markdown",
  kind: "handler",
  config: v.strictObject({ root: v.pipe(v.string(), v.minLength(1)) }),
  setup: ({ root }, ctx) => {
    const dir = ctx.resolve(root)
    return {
      // `x.path` has no dot segments, so it cannot leave the folder; hidden files are not pages.
      part: async x => {
        if ((x.method !== "GET" && x.method !== "HEAD") || x.path.includes("/.")) return PASS
        const name = x.path === "/" ? "/index" : x.path
        let source: string
        try {
          source = await readFile(dir + name + ".md", "utf8")
        } catch {
          return PASS // the next route may have it
        }
        const page = `<!doctype html><meta charset="utf-8"><title>${Bun.escapeHTML(name.slice(1))}</title>${Bun.markdown.html(source)}`
        return new Reply(200, new HeaderList(["Content-Type", "text/html; charset=utf-8"]), page)
      },
    }
  },
})
