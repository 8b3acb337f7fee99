import type { Context } from "hono"
import { extension, isKey } from "./keys.ts"
import type { FileStorage, StoredFile } from "./storage.ts"
import { LocalFiles } from "./local.ts"
import { thumbnail } from "./thumbnails.ts"

/**
 * Types that a browser may show by itself. Anything else is a download: HTML, SVG and XML of a visitor's making would
 * run as this site, and with its cookies.
 */
const SHOWN = /^(?:image\/(?:png|jpeg|gif|webp|avif|bmp)|audio\/[a-z0-9-]+|video\/[a-z0-9-]+|font\/[a-z0-9]+|application\/pdf|text\/(?:plain|csv|markdown|calendar)|application\/json)$/

/** A key is never used again, so what it stands for never changes. */
const FOREVER = "public, max-age=31536000, immutable"

/** Answers `path`, what follows the base URL: a key, or "w320/" and a key for a smaller picture. Null: not here. */
export async function serveFile(c: Context<any>, storage: FileStorage, path: string): Promise<Response | null> {
  const { key, width } = parse(path)
  if (!isKey(key)) return null
  const small = width === undefined || !(storage instanceof LocalFiles) ? undefined : await thumbnail(storage, key, width)
  const file = small ?? (await storage.open(key))
  return file === null ? null : answer(c.req.raw.headers, file, key)
}

function parse(path: string): { key: string; width: number | undefined } {
  const match = /^w(\d{2,4})\/(.+)$/.exec(path)
  return match === null ? { key: path, width: undefined } : { key: match[2]!, width: Number(match[1]) }
}

function answer(asked: Headers, file: StoredFile, key: string): Response {
  const shown = SHOWN.test(file.type)
  const etag = `"${file.size.toString(36)}-${file.modified.getTime().toString(36)}"`
  const headers: Record<string, string> = {
    "Content-Type": shown ? withCharset(file.type) : "application/octet-stream",
    "X-Content-Type-Options": "nosniff",
    // Chromium's viewer of PDFs does not start in a sandbox; it gives the file no access to the site in any case.
    "Content-Security-Policy": `default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'${file.type === "application/pdf" ? "" : "; sandbox"}`,
    "Content-Disposition": shown ? "inline" : `attachment; filename="${key.slice(key.lastIndexOf("/") + 1)}"`,
    "Cache-Control": FOREVER,
    ETag: etag,
    "Last-Modified": file.modified.toUTCString(),
    "Accept-Ranges": "bytes",
  }
  if (isFresh(asked, etag, file.modified)) return new Response(null, { status: 304, headers })
  const range = rangeOf(asked, file, etag)
  if (range === "unsatisfiable") return new Response(null, { status: 416, headers: { ...headers, "Content-Range": `bytes */${file.size}` } })
  if (range === undefined) return new Response(file.slice(0, file.size), { headers: { ...headers, "Content-Length": String(file.size) } })
  const { start, end } = range
  return new Response(file.slice(start, end), { status: 206, headers: { ...headers, "Content-Range": `bytes ${start}-${end - 1}/${file.size}`, "Content-Length": String(end - start) } })
}

function withCharset(type: string): string {
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type
}

/** RFC 9110 section 13.2.2: If-None-Match decides alone where there is one. */
function isFresh(asked: Headers, etag: string, modified: Date): boolean {
  const tags = asked.get("if-none-match")
  if (tags !== null) return tags.trim() === "*" || tags.split(",").some(tag => tag.trim().replace(/^W\//, "") === etag)
  const since = Date.parse(asked.get("if-modified-since") ?? "")
  return Math.floor(modified.getTime() / 1000) * 1000 <= since
}

/** One range of bytes (RFC 9110 section 14.2), end not included; several, or a strange one, get the whole file. */
function rangeOf(asked: Headers, file: StoredFile, etag: string): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(asked.get("range")?.trim() ?? "")
  if (match === null || match[0] === "bytes=-") return undefined
  const onlyIf = asked.get("if-range")
  if (onlyIf !== null && onlyIf !== etag && onlyIf !== file.modified.toUTCString()) return undefined
  const [, from = "", to = ""] = match
  if (from === "") {
    // The last bytes of an empty file can be had (RFC 9110 14.1.2): all of it.
    if (file.size === 0 && Number(to) > 0) return undefined
    const length = Math.min(Number(to), file.size)
    return length === 0 ? "unsatisfiable" : { start: file.size - length, end: file.size }
  }
  const start = Number(from)
  if (start >= file.size) return "unsatisfiable"
  const end = to === "" ? file.size : Math.min(Number(to) + 1, file.size)
  return start < end ? { start, end } : undefined
}

/** True for what can be shown in a page by `<img>`. */
export function isPicture(key: string): boolean {
  return /^(?:png|jpg|gif|webp|avif)$/.test(extension(key))
}
