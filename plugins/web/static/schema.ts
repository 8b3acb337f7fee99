import { size } from "edge"
import * as v from "valibot"

const encoding = v.picklist(["br", "zstd", "gzip"], 'must be "br", "zstd" or "gzip"')

export const cacheSchema = v.strictObject({
  size: v.pipe(v.optional(size(), "64mb"), v.description("Memory for hot files, per front.")),
  files: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 10_000),
    v.description("How many files to keep at most."),
  ),
  max_file: v.pipe(v.optional(size(), "1mb"), v.description("Larger files are always read from disk, as they are sent.")),
})

export const staticSchema = v.strictObject({
  root: v.pipe(v.string(), v.minLength(1), v.description("Folder of the files.")),
  index: v.pipe(
    v.optional(v.array(v.pipe(v.string(), v.regex(/^[^/\\]+$/, "must be a file name"))), ["index.html"]),
    v.description("Files that stand for their folder, the first that is there."),
  ),
  precompressed: v.pipe(
    v.optional(v.union([v.boolean(), v.array(encoding)], 'must be true, false or a list of "br", "zstd", "gzip"'), false),
    v.description("Send FILE.br, FILE.zst or FILE.gz in place of FILE to clients that take it; a list is in order of preference."),
  ),
  browse: v.pipe(v.optional(v.boolean(), false), v.description("List folders that have no index.")),
  spa: v.pipe(
    v.optional(v.union([v.boolean(), v.pipe(v.string(), v.regex(/^[^/\\].*/, "must be a path below root"))], "must be true, false or a file"), false),
    v.description("Answer page views of absent paths with this file of root (true: the first index), for single-page apps."),
  ),
  hidden: v.pipe(v.optional(v.boolean(), false), v.description('Serve files whose path has a part beginning with ".", other than .well-known.')),
  symlinks: v.pipe(
    v.optional(v.picklist(["inside", "all", "none"], 'must be "inside", "all" or "none"'), "inside"),
    v.description('Which symbolic links are followed: those that stay inside root, all, or none.'),
  ),
  fallthrough: v.pipe(
    v.optional(v.boolean(), true),
    v.description("Let later routes answer what is absent or not GET or HEAD; false: 404 or 405."),
  ),
  charset: v.pipe(v.optional(v.string(), "utf-8"), v.description('Charset of text types; "" for none.')),
  types: v.pipe(
    v.optional(v.record(v.pipe(v.string(), v.regex(/^\.[^/]+$/, 'must be an extension such as ".foo"')), v.pipe(v.string(), v.regex(/^[\x21-\x7e][\x20-\x7e]*$/, "must be a media type"))), {}),
    v.description('Content-Type by extension, before the usual ones: { ".foo" = "text/x-foo" }.'),
  ),
  cache: v.pipe(
    v.optional(v.union([v.literal(false), cacheSchema], "must be false or a table such as { size = \"64mb\" }"), {}),
    v.description("Hot files in memory; false: none."),
  ),
})

export type StaticConfig = v.InferOutput<typeof staticSchema>
