/**
 * One stored answer as a file: magic, lengths, a hash over the rest, then what is known of it as JSON, then the body. A
 * file that was cut or changed by anything does not pass the hash and is as if not there; so nothing needs to be synced.
 */
import { CacheEntry, type EntryFields } from "../entry.ts"

const MAGIC = Buffer.from("edge-cache 1\n")
const META_AT = MAGIC.length + 4 + 4 + 8

type Meta = Omit<EntryFields, "body" | "hitLine" | "partial"> & {
  /** Of the config that it was kept under. */
  readonly config?: string
}

/** In place of an answer that varies: the names of the fields that tell which file it is in. */
export interface Marker {
  readonly vary: readonly string[]
}

export function encodeEntry(entry: CacheEntry, config: string): Buffer {
  const { base, extra, selectors, status, lines, terms, storedMs, tags } = entry
  const meta: Meta = { base, extra, selectors, status, lines, terms, storedMs, tags, config }
  return encode(meta, entry.body ?? new Uint8Array(0))
}

export function encodeMarker(marker: Marker): Buffer {
  return encode(marker, new Uint8Array(0))
}

function encode(meta: object, body: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(meta))
  const out = Buffer.allocUnsafe(META_AT + text.length + body.byteLength)
  MAGIC.copy(out)
  out.writeUInt32LE(text.length, MAGIC.length)
  out.writeUInt32LE(body.byteLength, MAGIC.length + 4)
  text.copy(out, META_AT)
  out.set(body, META_AT + text.length)
  out.writeBigUInt64LE(Bun.hash.xxHash64(out.subarray(META_AT)), MAGIC.length + 8)
  return out
}

/** Null for bytes that are no such file, or not all of it. */
export function decode(bytes: Buffer): { meta: Meta | Marker; body: Uint8Array } | null {
  if (bytes.length < META_AT || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return null
  const metaLength = bytes.readUInt32LE(MAGIC.length)
  const bodyLength = bytes.readUInt32LE(MAGIC.length + 4)
  if (bytes.length !== META_AT + metaLength + bodyLength) return null
  if (Bun.hash.xxHash64(bytes.subarray(META_AT)) !== bytes.readBigUInt64LE(MAGIC.length + 8)) return null
  const meta = JSON.parse(bytes.toString("utf8", META_AT, META_AT + metaLength)) as Meta | Marker
  return { meta, body: bytes.subarray(META_AT + metaLength) }
}

/** What is known of the answer, from the first bytes of its file; null when that is not in them, or for a marker. */
export function peek(bytes: Buffer): Meta | null {
  if (bytes.length < META_AT || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return null
  const end = META_AT + bytes.readUInt32LE(MAGIC.length)
  if (bytes.length < end) return null
  try {
    const meta = JSON.parse(bytes.toString("utf8", META_AT, end)) as Meta | Marker
    return isMarker(meta) ? null : meta
  } catch {
    return null
  }
}

export function isMarker(meta: Meta | Marker): meta is Marker {
  return "vary" in meta
}

/** One that was kept under another config is asked about before it is used: its route may have an access check now, or be gone. */
export function toEntry(meta: Meta, { body, hitLine, config }: { body: Uint8Array; hitLine: readonly string[]; config: string }): CacheEntry {
  const bodiless = body.byteLength === 0 && (meta.status === 204 || meta.status === 304)
  const terms = meta.config === config ? meta.terms : { ...meta.terms, noCache: true }
  return new CacheEntry({ ...meta, terms, body: bodiless ? null : body, hitLine })
}
