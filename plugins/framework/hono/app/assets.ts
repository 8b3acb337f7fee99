import { readFileSync, realpathSync, statSync } from "node:fs"
import { join, sep } from "node:path"
import type { Ctx } from "./env.ts"

interface Asset {
  readonly file: string
  readonly hash: string
  readonly mtimeMs: number
  readonly size: number
}

/** Longest that browsers keep a file whose URL has its hash. */
const FOREVER = "public, max-age=31536000, immutable"

/**
 * The app's `static/` folder at `/static/`. `url("style.css")` is "/static/style.1a2b3c4d5e.css": another content is
 * another URL, so browsers may keep it for ever.
 */
export class Assets {
  readonly #root: string
  readonly #dev: boolean
  readonly #known = new Map<string, Asset>()

  constructor(root: string, dev: boolean) {
    this.#root = root
    this.#dev = dev
  }

  url(path: string): string {
    const asset = this.#find(path)
    if (asset === undefined) throw new Error(`there is no static/${path}`)
    const dot = path.lastIndexOf(".")
    const named = dot > path.lastIndexOf("/") + 1 ? `${path.slice(0, dot)}.${asset.hash}${path.slice(dot)}` : `${path}.${asset.hash}`
    return `/static/${named.split("/").map(encodeURIComponent).join("/")}`
  }

  /** The answer to a path below /static/; undefined when there is no such file. */
  answer(c: Ctx, path: string): Response | undefined {
    const plain = path.replace(/\.([\da-f]{10})(?=\.[^./]*$|$)/, "")
    const hash = plain === path ? undefined : /\.([\da-f]{10})(?:\.[^./]*)?$/.exec(path)?.[1]
    const hashed = hash === undefined ? undefined : this.#find(plain)
    const asset = hashed ?? this.#find(path)
    if (asset === undefined) return undefined
    const etag = `"${asset.hash}"`
    const headers = {
      // An old hash may be asked for by a page from before the deployment: it gets the new file, not for ever.
      "Cache-Control": hashed !== undefined && asset.hash === hash ? FOREVER : "no-cache",
      ETag: etag,
    }
    if (c.req.header("If-None-Match") === etag) return new Response(null, { status: 304, headers })
    return new Response(Bun.file(asset.file), { headers })
  }

  #find(path: string): Asset | undefined {
    const known = this.#known.get(path)
    if (known !== undefined && !this.#dev) return known
    if (path.split("/").some(part => part === "" || part.startsWith(".")) || /[\\\0]/.test(path)) return undefined
    const file = join(this.#root, path)
    const stat = statSync(file, { throwIfNoEntry: false })
    if (stat === undefined || !stat.isFile() || !this.#isInside(file)) return undefined
    if (known !== undefined && known.mtimeMs === stat.mtimeMs && known.size === stat.size) return known
    const hash = new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex").slice(0, 10)
    const asset = { file, hash, mtimeMs: stat.mtimeMs, size: stat.size }
    this.#known.set(path, asset)
    return asset
  }

  /** A symbolic link may not lead out. */
  #isInside(file: string): boolean {
    return realpathSync(file).startsWith(realpathSync(this.#root) + sep)
  }
}
