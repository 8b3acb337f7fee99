import type { Answer, Awaitable, Context, Exchange, Handler } from "edge"
import { definePlugin, encodePath, HeaderList, HttpError, isMissing, PASS, Reply } from "edge"
import { Answers } from "./answer.ts"
import type { Variant } from "./variants.ts"
import { type CachedFile, Files } from "./files.ts"
import { Listings } from "./listing.ts"
import { Root } from "./root.ts"
import { type StaticConfig, staticSchema } from "./schema.ts"
import { MimeTypes } from "./mime-types.ts"

/** Files below a folder. */
export default definePlugin({
  name: "static",
  kind: "handler",
  config: staticSchema,
  setup: (config, ctx) => {
    const root = new Root(ctx.resolve(config.root), config)
    const missing = (): string | undefined => (isMissing(root.path) ? `there is no folder ${root.path}` : root.stat(root.path)?.kind === "file" ? `${root.path} is no folder` : undefined)
    return {
      part: makeStatic(config, { ctx, root }),
      // As nginx: the server starts and answers 404 until the folder is there.
      start: () => void (missing() && ctx.log.warn(`static: ${missing()}; its files are 404 until there is`)),
      check: () => {
        const why = missing()
        if (why !== undefined) throw ctx.fail(why, ["root"])
      },
    }
  },
})

/** A changed file is seen within this. */
const CHECK_MS = 1000

function makeStatic(config: StaticConfig, { ctx, root }: { ctx: Context; root: Root }): Handler {
  const types = new MimeTypes(config.types, config.charset)
  const files = new Files({ config, root, types, checkMs: ctx.dev ? 0 : CHECK_MS })
  const spa = config.spa === true ? `/${config.index[0] ?? "index.html"}` : config.spa === false ? null : `/${config.spa}`
  const listings = new Listings({ root, hidden: config.hidden })
  const answers = new Answers(variant => files.open(variant))

  function serve(x: Exchange, path: string): Awaitable<Answer> {
    const found = files.find(path, x.startMs)
    if (found === null) return absent(x, path)
    if (found === "slash") return toSlash(x)
    if (found === "listing") return list(x, path)
    return answers.answer(x, pick(x, found)) ?? again(x, path)
  }

  /** The file changed between the look and the open. */
  function again(x: Exchange, path: string): Awaitable<Answer> {
    files.forget(path)
    const found = files.find(path, x.startMs)
    if (found === null || typeof found === "string") return absent(x, path)
    const reply = answers.answer(x, pick(x, found))
    if (reply === null) throw new HttpError(503, "the file is being replaced again and again", { headers: [["Retry-After", "1"]] })
    return reply
  }

  function absent(x: Exchange, path: string): Awaitable<Answer> {
    if (spa !== null && path !== spa && isPageView(x, path)) return serve(x, spa)
    if (config.fallthrough) return PASS
    throw new HttpError(404, "no such file")
  }

  async function list(x: Exchange, path: string): Promise<Answer> {
    return (await listings.answer(x, path)) ?? absent(x, path)
  }

  return x => {
    if (x.method !== "GET" && x.method !== "HEAD") {
      if (config.fallthrough) return PASS
      throw new HttpError(405, "files are for GET and HEAD", { headers: [["Allow", "GET, HEAD"]] })
    }
    return serve(x, x.restAt === 0 ? x.path : x.path.slice(x.restAt))
  }
}

function pick(x: Exchange, entry: CachedFile): Variant {
  return entry.variants.length === 1 ? entry.variants[0]! : entry.pick(x.headers.get("accept-encoding"))
}

/** Somebody wants to see a page: not a missing script or image, which must not get HTML. */
function isPageView(x: Exchange, path: string): boolean {
  return !path.slice(path.lastIndexOf("/")).includes(".") || x.headers.get("accept")?.includes("text/html") === true
}

/** 301, as everywhere; from the normal form, for "//evil.example" in the raw target is a host to a browser. */
function toSlash(x: Exchange): Reply {
  const query = x.query === "" ? "" : `?${x.query}`
  return new Reply(301, new HeaderList(["Location", `${encodePath(`${x.prefix}${x.path}/`)}${query}`]))
}
