import { createWriteStream } from "node:fs"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { sniff, SNIFF_BYTES } from "../files/sniff.ts"
import type { FileRule } from "./form-body.ts"
import { Upload } from "./upload.ts"

export interface Keeping {
  readonly path: string
  readonly filename: string
  readonly rule: FileRule
  readonly signal: AbortSignal
  /** Hears of what is going to be written. */
  count(bytes: number): void
}

/** Writes a file to disk as it comes. Undefined when it is larger than its field takes; the rest is read past. */
export async function keep(stream: Readable, how: Keeping): Promise<Upload | undefined> {
  let size = 0
  const head: Uint8Array[] = []
  let headBytes = 0
  async function* bounded(source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      size += chunk.byteLength
      if (size > how.rule.maxBytes) continue
      how.count(chunk.byteLength)
      if (headBytes < SNIFF_BYTES) {
        // A copy: the chunk is a view of a larger buffer.
        head.push(Buffer.from(chunk.subarray(0, SNIFF_BYTES - headBytes)))
        headBytes += chunk.byteLength
      }
      yield chunk
    }
  }
  const out = createWriteStream(how.path, { flags: "wx", mode: 0o600 })
  try {
    await pipeline(stream, bounded, out, { signal: how.signal })
  } catch (error) {
    // Given up while the file was being opened: it would come into being after it was removed.
    if (!out.closed) await new Promise(resolve => out.once("close", resolve))
    throw error
  }
  if (size > how.rule.maxBytes) return undefined
  const name = how.filename.replace(/^.*[/\\]/s, "").slice(-255)
  return new Upload({ path: how.path, size, name, type: sniff(Buffer.concat(head), name) })
}
