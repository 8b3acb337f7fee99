import { mkdir, rename, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { LocalFiles } from "./local.ts"
import { MAX_PIXELS } from "./picture.ts"
import type { StoredFile } from "./storage.ts"

/** In pixels. Only these are made: with any width, whoever asks for all of them fills the disk. */
export const WIDTHS = [80, 160, 320, 640, 1280] as const

/** Pictures that are decoded at once in a process; each may take 200 MB (MAX_PIXELS x 4 bytes). */
const AT_ONCE = 1
/** What is larger is not worth reading for a small picture, in bytes. */
const MOST_BYTES = 50_000_000

/** The smallest of the widths that is enough. */
export function widthFor(width: number): number {
  return WIDTHS.find(one => one >= width) ?? WIDTHS.at(-1)!
}

const making = new Map<string, Promise<StoredFile | undefined>>()
let busy = 0
const waiting: (() => void)[] = []

/** A smaller WebP of a picture, made when first asked for and kept; undefined when it cannot be made (the whole one does). */
export async function thumbnail(storage: LocalFiles, key: string, width: number): Promise<StoredFile | undefined> {
  if (!(WIDTHS as readonly number[]).includes(width)) return undefined
  const path = pathOf(storage, key, width)
  const have = await open(path)
  if (have !== undefined) return have
  const under = making.get(path)
  if (under !== undefined) return under
  const made = one(() => make(storage, key, { path, width })).finally(() => making.delete(path))
  making.set(path, made)
  return made
}

/** Removes what was made from a picture. */
export async function forget(storage: LocalFiles, key: string): Promise<void> {
  await Promise.all(WIDTHS.map(width => rm(pathOf(storage, key, width), { force: true })))
}

function pathOf(storage: LocalFiles, key: string, width: number): string {
  return join(storage.dir, ".thumbnails", `w${width}`, `${key}.webp`)
}

async function open(path: string): Promise<StoredFile | undefined> {
  const facts = await stat(path).catch(() => undefined)
  if (facts === undefined) return undefined
  const file = Bun.file(path)
  return { size: facts.size, type: "image/webp", modified: facts.mtime, slice: (start, end) => (end - start === facts.size ? file : file.slice(start, end)) }
}

async function make(storage: LocalFiles, key: string, to: { path: string; width: number }): Promise<StoredFile | undefined> {
  const whole = await storage.open(key)
  if (whole === null || whole.size > MOST_BYTES || !whole.type.startsWith("image/")) return undefined
  try {
    const picture = new Bun.Image(storage.pathOf(key), { maxPixels: MAX_PIXELS })
    const bytes = await picture.resize(to.width, undefined, { fit: "inside", withoutEnlargement: true }).webp({ quality: 80 }).bytes()
    await mkdir(dirname(to.path), { recursive: true })
    // Moved into place: another worker must not send the half of it.
    const aside = `${to.path}.${process.pid}`
    await Bun.write(aside, bytes)
    await rename(aside, to.path)
    return await open(to.path)
  } catch {
    return undefined
  }
}

async function one<T>(f: () => Promise<T>): Promise<T> {
  if (busy >= AT_ONCE) await new Promise<void>(resolve => waiting.push(resolve))
  busy++
  try {
    return await f()
  } finally {
    busy--
    waiting.shift()?.()
  }
}
