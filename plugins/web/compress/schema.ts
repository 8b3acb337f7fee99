import { size } from "edge"
import * as v from "valibot"

const encoding = v.picklist(["zstd", "br", "gzip"], 'must be "zstd", "br" or "gzip"')

/** What shrinks; images, video, archives and woff2 are compressed already. */
const defaultTypes = [
  "text/*",
  "application/json",
  "application/*+json",
  "application/x-ndjson",
  "application/javascript",
  "application/x-javascript",
  "application/xml",
  "application/*+xml",
  "application/wasm",
  "application/vnd.ms-fontobject",
  "font/ttf",
  "font/otf",
  "image/svg+xml",
  "image/bmp",
  "image/x-icon",
  "image/vnd.microsoft.icon",
]

const levels = v.strictObject({
  zstd: v.pipe(v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(19)), 3), v.description("1 to 19.")),
  br: v.pipe(v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(11)), 4), v.description("0 to 11.")),
  gzip: v.pipe(v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(9)), 5), v.description("1 to 9.")),
})

export const compressSchema = v.strictObject({
  encodings: v.pipe(
    v.optional(v.pipe(v.array(encoding), v.minLength(1)), ["zstd", "br", "gzip"]),
    v.description("Which, in order of preference where the client likes several alike."),
  ),
  types: v.pipe(
    v.optional(v.array(v.pipe(v.string(), v.regex(/^[^/\s;]+\/[^/\s;]+$/, 'must be a media type such as "text/*"'))), defaultTypes),
    v.description("Media types that are compressed; * stands for anything."),
  ),
  min_size: v.pipe(v.optional(size(), "512b"), v.description("Smaller answers are left alone.")),
  signed: v.pipe(
    v.optional(v.boolean(), false),
    v.description("Also answers with a digest (Content-Digest, Repr-Digest, Digest, Content-MD5), which is taken off, or a Signature, which may then not hold."),
  ),
  level: v.pipe(v.optional(levels, {}), v.description("Effort for answers that are made anew each time.")),
  hot_level: v.pipe(
    v.optional(levels, { zstd: 9, br: 7, gzip: 7 }),
    v.description("Effort for answers from memory, which are compressed once."),
  ),
  cache: v.pipe(v.optional(size(), "32mb"), v.description("Memory for compressed answers from memory, per front.")),
})

export type CompressConfig = v.InferOutput<typeof compressSchema>
