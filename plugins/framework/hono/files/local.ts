import { copyFile, mkdir, rename, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { checkOptions } from "edge"
import { extension, isKey, makeKey } from "./keys.ts"
import { sniff, SNIFF_BYTES, typeOf } from "./sniff.ts"
import { forget, widthFor } from "./thumbnails.ts"
import { type FileSource, type FileStorage, PUT, type PutOptions, type StoredFile } from "./storage.ts"

/** Files in a folder of this machine. Workers of one machine share it; more machines want S3Files. */
export class LocalFiles implements FileStorage {
  readonly dir: string
  readonly tempDir: string
  readonly #base: string

  /** `url` is the path below which the app serves them. */
  constructor(options: { dir: string; url?: string }) {
    checkOptions("new LocalFiles()", options ?? null, { dir: "text", url: "text" })
    this.dir = options.dir
    this.tempDir = join(options.dir, ".uploads")
    this.#base = (options.url ?? "/media").replace(/\/+$/, "")
  }

  async put(source: FileSource, options: PutOptions = {}): Promise<string> {
    checkOptions("files().put()", options, PUT)
    const type = options.type ?? sniff(await headOf(source), options.name)
    const key = makeKey(type, options.name)
    const path = this.pathOf(key)
    await mkdir(dirname(path), { recursive: true })
    if ("path" in source) await move(source.path, path)
    else await Bun.write(path, source as Blob)
    return key
  }

  async open(key: string): Promise<StoredFile | null> {
    if (!isKey(key)) return null
    const path = this.pathOf(key)
    try {
      const facts = await stat(path)
      if (!facts.isFile()) return null
      const file = Bun.file(path)
      return { size: facts.size, type: typeOf(extension(key)), modified: facts.mtime, slice: (start, end) => (start === 0 && end === facts.size ? file : file.slice(start, end)) }
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return null
      throw error
    }
  }

  async delete(key: string): Promise<void> {
    if (!isKey(key)) return
    await rm(this.pathOf(key), { force: true })
    await forget(this, key)
  }

  url(key: string, options: { width?: number } = {}): string {
    checkOptions("files().url()", options, { width: "number" })
    return options.width === undefined || !isKey(key) ? `${this.#base}/${key}` : `${this.#base}/w${widthFor(options.width)}/${key}`
  }

  /** Absolute path of a key; the key must be one (isKey). */
  pathOf(key: string): string {
    return join(this.dir, key)
  }
}

async function headOf(source: FileSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source.subarray(0, SNIFF_BYTES)
  const blob = "path" in source ? Bun.file(source.path) : source
  return new Uint8Array(await blob.slice(0, SNIFF_BYTES).arrayBuffer())
}

/** Free on one disk; copied where the temp folder is on another. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if ((error as { code?: string }).code !== "EXDEV") throw error
    await copyFile(from, to)
    await rm(from, { force: true })
  }
}
