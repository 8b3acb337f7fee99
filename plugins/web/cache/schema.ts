import { count, duration, path, size } from "edge"
import * as v from "valibot"

const names = (help: string, initial: readonly string[] = []) => v.pipe(v.optional(v.array(v.pipe(v.string(), v.minLength(1))), [...initial]), v.description(help))
const time = (initial: string, help: string) => v.pipe(v.optional(duration(), initial), v.description(help))

/** "200", "4xx" or "any". */
const statusKey = v.pipe(v.string(), v.regex(/^(?:[2-5]\d\d|[2-5]xx|any)$/, 'must be a status such as "200" or "4xx", or "any"'))

const disk = v.strictObject({
  dir: v.pipe(path(), v.description("Folder of the files; made when it is not there. Edge alone may write there.")),
  size: v.pipe(v.optional(size({ min: "1mb" }), "1gb"), v.description("Bytes of all files together, of all fronts.")),
})

export const cacheSchema = v.strictObject({
  size: v.pipe(v.optional(size({ min: "1mb" }), "64mb"), v.description("Memory for answers, per front.")),
  max_entry: v.pipe(v.optional(size({ min: "1kb" }), "4mb"), v.description("Larger answers are not kept.")),
  disk: v.pipe(v.optional(disk), v.description("Keeps answers on disk too: shared by all fronts, and there after a restart.")),
  default_ttl: v.pipe(
    v.optional(v.union([duration(), v.record(statusKey, duration())]), "0s"),
    v.description(
      'How long answers that do not say so themselves are fresh: a duration for 200, 301 and 302, or a table by status such as { "200" = "10m", "404" = "1m", any = "5s" } (nginx: proxy_cache_valid).',
    ),
  ),
  heuristic: time("1h", 'Most that an answer is held fresh for a tenth of its age since Last-Modified (RFC 9111 4.2.2), where it says nothing itself and the request had no cookie; "0s": never.'),
  methods: v.pipe(
    v.optional(v.array(v.picklist(["GET", "HEAD", "POST"], 'must be "GET", "HEAD" or "POST"')), ["GET", "HEAD"]),
    v.description("Methods whose answers are used. POST: only where the answer names its own URL in Content-Location and says how long it is fresh (RFC 9110 9.3.3); it then answers GET."),
  ),
  key: v.pipe(
    v.optional(
      v.strictObject({
        headers: names("Request headers whose values tell answers apart, as if the answer said so in Vary."),
        cookies: names("Cookies whose values do."),
      }),
      {},
    ),
    v.description("What tells answers apart besides scheme, Host and target."),
  ),
  ignore_query: names('Query arguments that change nothing, such as "utm_*": not part of the key, and not sent on.'),
  ignore: v.pipe(
    v.optional(v.array(v.picklist(["cache-control", "expires", "set-cookie", "vary"])), []),
    v.description("Fields of answers that are not heeded (nginx: proxy_ignore_headers). An answer with Set-Cookie is then kept without it."),
  ),
  bypass: v.pipe(
    v.optional(
      v.strictObject({
        headers: names("Request headers."),
        cookies: names('Cookies, such as "session*".'),
        paths: names('Paths, such as "/admin/*".'),
      }),
      {},
    ),
    v.description("Requests with one of these are neither answered from the cache nor is their answer kept."),
  ),
  stale_while_revalidate: time("0s", "How long a stale answer is used while a new one is fetched, where the answer does not say (RFC 5861)."),
  stale_if_error: time("0s", "How long a stale answer is used when a new one cannot be had, where the answer does not say (RFC 5861)."),
  request_control: v.pipe(v.optional(v.boolean(), false), v.description("Heed a client's Cache-Control: no-cache, max-age, min-fresh, max-stale, only-if-cached. Anybody can then make the origin work.")),
  collapse: time("5s", 'How long requests wait for the same answer that is being fetched already, before they ask for themselves; "0s": not at all.'),
  variants: v.pipe(v.optional(count({ min: 1, max: 1000 }), 64), v.description("Answers to one URL that are told apart by Vary or key.")),
  tags: names("Fields of answers that name their tags for purging; not sent to clients.", ["Surrogate-Key", "Cache-Tag"]),
  targeted: names("Fields that stand in for Cache-Control here, the first that is there (RFC 9213).", ["CDN-Cache-Control"]),
  status_header: v.pipe(
    v.optional(v.union([v.pipe(v.string(), v.regex(/^[\w-]+$/, "must be a field name")), v.literal(false)]), "Cache-Status"),
    v.description('Tells clients what happened: "Cache-Status" as RFC 9211 has it, another name for a word such as HIT or MISS, false for nothing.'),
  ),
  purge: v.pipe(
    v.optional(v.strictObject({ token: v.pipe(v.string(), v.minLength(8), v.description("Sent as Authorization: Bearer TOKEN.")) })),
    v.description("Answers the method PURGE. Without it, `edge purge` is the way."),
  ),
})

export type CacheConfig = v.InferOutput<typeof cacheSchema>
