/** zlib, brotli and zstd, behind one shape. */
import {
  brotliCompress,
  brotliCompressSync,
  constants as c,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzip,
  zstdCompress,
} from "node:zlib"
import type { Transform } from "node:stream"
import type { Encoding } from "edge"

export type Levels = Readonly<Record<Encoding, number>>

/** A zlib stream that can be flushed. */
export interface Encoder extends Transform {
  flush(kind: number, done?: () => void): void
}

/**
 * Past this many bytes a body is compressed by a thread: about 0.15 ms of JSON each, more would be felt by the others.
 * Bun's own functions in place of node:zlib's take half of the time for bodies of some kB.
 */
const syncMax: Levels = { gzip: 16 * 1024, br: 16 * 1024, zstd: 64 * 1024 }

export const flushKind: Levels = {
  gzip: c.Z_SYNC_FLUSH,
  br: c.BROTLI_OPERATION_FLUSH,
  zstd: c.ZSTD_e_flush,
}

export function encode(bytes: Uint8Array, { encoding, levels }: { encoding: Encoding; levels: Levels }): Uint8Array | Promise<Uint8Array> {
  const options = optionsOf(encoding, { levels, size: bytes.byteLength })
  if (bytes.byteLength <= syncMax[encoding]) {
    if (encoding === "br") return brotliCompressSync(bytes, options)
    if (encoding === "zstd") return Bun.zstdCompressSync(bytes, { level: levels.zstd })
    return Bun.gzipSync(bytes as Uint8Array<ArrayBuffer>, { level: levels.gzip as 5 })
  }
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, out: Uint8Array) => (error === null ? resolve(out) : reject(error))
    if (encoding === "br") brotliCompress(bytes, options, done)
    else if (encoding === "gzip") gzip(bytes, options, done)
    else zstdCompress(bytes, options, done)
  })
}

export function toEncoder(encoding: Encoding, levels: Levels): Encoder {
  const options = optionsOf(encoding, { levels, size: -1 })
  if (encoding === "br") return createBrotliCompress(options)
  return encoding === "gzip" ? createGzip(options) : createZstdCompress(options)
}

/** A stream's window is kept to 256 kB: brotli would take 4 MB and zstd 8 MB for each of many open streams. */
function optionsOf(encoding: Encoding, { levels, size }: { levels: Levels; size: number }) {
  if (encoding === "gzip") return { level: levels.gzip }
  if (encoding === "zstd") {
    return { params: { [c.ZSTD_c_compressionLevel]: levels.zstd, ...(size < 0 ? { [c.ZSTD_c_windowLog]: 18 } : {}) } }
  }
  const hint = size < 0 ? { [c.BROTLI_PARAM_LGWIN]: 18 } : { [c.BROTLI_PARAM_SIZE_HINT]: size }
  return { params: { [c.BROTLI_PARAM_QUALITY]: levels.br, ...hint } }
}
