/** The answers to a file, made when it is read. */
import { type Encoding, encodingPicker, Prepared, type Validators } from "edge"
import type { Stamp } from "./root.ts"

/** A file, or a precompressed sidecar of it. */
export interface Variant extends Validators {
  readonly encoding: Encoding | ""
  readonly file: string
  readonly stamp: Stamp
  readonly size: number
  readonly type: string
  /** Header lines of a 200 or 206. */
  readonly lines: string[]
  /** The 200 from memory; null for a file that is read as it is sent. */
  readonly full: Prepared | null
  readonly notModified: Prepared
}

export interface Built {
  /** The file itself, then its sidecars in order of preference. */
  readonly variants: readonly Variant[]
  /** The variant for an Accept-Encoding. */
  pick(accept: string | null): Variant
  /** Bytes it keeps in memory. */
  readonly bytes: number
  /** It was changed as we read it or just before: a second change might show the same time, so it is read again. */
  readonly fresh: boolean
}

export interface Source {
  readonly encoding: Encoding | ""
  readonly file: string
  readonly stamp: Stamp
  /** Null when they are not kept in memory. */
  readonly bytes: Buffer | null
}

/** Kernels stamp files with the time of the last timer tick (1 to 10 ms); network file systems are coarser. */
const FRESH_MS = 50
/** Apache, too, calls a tag weak for a file that may change again within the resolution of its time. */
const WEAK_MS = 2000

export function build(variants: readonly Variant[]): Built {
  const age = Date.now() - Math.max(...variants.map(variant => Number(variant.stamp.ctimeNs / 1_000_000n)))
  return {
    variants,
    pick: variants.length === 1 ? () => variants[0]! : picker(variants),
    bytes: variants.reduce((sum, v) => sum + v.notModified.bytes + (v.full?.bytes ?? 0), 1024),
    fresh: age < FRESH_MS || variants.some(variant => variant.etag.startsWith("W/")),
  }
}

/** By the encodings on offer, "br,gzip": a handful, whatever the number of files. */
const pickers = new Map<string, ReturnType<typeof encodingPicker>>()

function picker(variants: readonly Variant[]): (accept: string | null) => Variant {
  const encodings = variants.slice(1).map(variant => variant.encoding as Encoding)
  const key = encodings.join()
  let pick = pickers.get(key)
  if (pick === undefined) pickers.set(key, (pick = encodingPicker(encodings)))
  return accept => {
    const encoding = pick(accept)
    return variants[encoding === "" ? 0 : encodings.indexOf(encoding) + 1]!
  }
}

/** The bytes are copied behind their head, up to 1 MB: the caller may use the buffer again. */
export function toVariant({ encoding, file, stamp, bytes }: Source, { type, vary }: { type: string; vary: boolean }): Variant {
  const etag = bytes === null ? etagOfStamp(stamp, encoding) : etagOfBytes(bytes, encoding)
  // RFC 9110 8.8.2.1: never later than the answer itself.
  const modifiedSec = Math.min(Number(stamp.mtimeNs / 1_000_000_000n), Math.floor(Date.now() / 1000))
  const lastModified = new Date(modifiedSec * 1000).toUTCString()
  const validators = ["ETag", etag, "Last-Modified", lastModified, ...(vary ? ["Vary", "Accept-Encoding"] : [])]
  const lines = ["Content-Type", type, ...validators, "Accept-Ranges", "bytes"]
  if (encoding !== "") lines.push("Content-Encoding", encoding)
  const full = bytes === null ? null : new Prepared(200, lines, bytes)
  return {
    encoding,
    file,
    stamp,
    size: Number(stamp.size),
    type,
    lines,
    full,
    notModified: new Prepared(304, validators),
    etag,
    lastModified,
    modifiedSec,
    changedSec: Number(stamp.ctimeNs / 1_000_000_000n),
  }
}

/** Of the content, so that it is the same on every machine, and another one after any change. */
function etagOfBytes(bytes: Uint8Array, encoding: string): string {
  return `"${Bun.hash.xxHash64(bytes).toString(36)}-${bytes.byteLength.toString(36)}${suffix(encoding)}"`
}

/** Of all that the file system says where reading the whole would cost too much; with ctime, as mtime can be set back. */
function etagOfStamp(stamp: Stamp, encoding: string): string {
  const { ino, size, mtimeNs, ctimeNs } = stamp
  const weak = Date.now() - Number(ctimeNs / 1_000_000n) < WEAK_MS ? "W/" : ""
  return `${weak}"${ino.toString(36)}-${size.toString(36)}-${mtimeNs.toString(36)}-${ctimeNs.toString(36)}${suffix(encoding)}"`
}

function suffix(encoding: string): string {
  return encoding === "" ? "" : `-${encoding}`
}
