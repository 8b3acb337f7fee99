import type { Ctx } from "../app/env.ts"
import htmx from "htmx.org/dist/htmx.min.js" with { type: "text" }
import { clientScript } from "./assets/client.ts"
import base from "./assets/base.css" with { type: "text" }
import icon from "./assets/icon.svg" with { type: "text" }
import pages from "./assets/pages.css" with { type: "text" }

interface Embedded {
  readonly file: string
  readonly type: string
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly etag: string
}

/** Another content is another URL: browsers keep it for ever. */
function embed(name: string, type: string, text: string): Embedded {
  const bytes = new TextEncoder().encode(text)
  const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex").slice(0, 10)
  const dot = name.lastIndexOf(".")
  return { file: `${name.slice(0, dot)}.${hash}${name.slice(dot)}`, type, bytes, etag: `"${hash}"` }
}

const css = embed("admin.css", "text/css; charset=utf-8", base + pages)
const js = embed("admin.js", "text/javascript; charset=utf-8", clientScript)
const hx = embed("htmx.js", "text/javascript; charset=utf-8", htmx)
const mark = embed("icon.svg", "image/svg+xml", icon)
const byFile = new Map([css, js, hx, mark].map(asset => [asset.file, asset]))

/** Names of the admin's own files, for its pages. */
export const assetFiles = { css: css.file, js: js.file, htmx: hx.file, icon: mark.file } as const

export function answerAsset(c: Ctx, file: string): Response {
  const asset = byFile.get(file)
  if (asset === undefined) return c.notFound() as Response
  const headers = { "Cache-Control": "public, max-age=31536000, immutable", ETag: asset.etag, "Content-Type": asset.type }
  if (c.req.header("If-None-Match") === asset.etag) return new Response(null, { status: 304, headers })
  return new Response(asset.bytes, { headers })
}
