import { duration, parseDuration } from "edge"
import * as v from "valibot"

/** RFC 9111 5.2.2, RFC 5861, RFC 8246. */
const directive =
  /^(?:public|immutable|no-store|no-transform|must-revalidate|must-understand|proxy-revalidate|(?:private|no-cache)(?:="[\w, -]+")?|(?:max-age|s-maxage|stale-while-revalidate|stale-if-error)=\d{1,10})$/i

const text = v.pipe(
  v.string(),
  v.check(
    given => parseDuration(given) !== null || given.split(",").every(part => directive.test(part.trim())),
    'must be a duration such as "365d", or directives such as "no-store" or "public, max-age=60"',
  ),
)

const flag = (help: string) => v.pipe(v.optional(v.boolean(), false), v.description(help))
const time = (help: string) => v.pipe(v.optional(duration()), v.description(help))

export const cacheControlSchema = v.pipe(
  v.union(
    [
      text,
      v.strictObject({
        max_age: time("How long anybody may use the answer."),
        s_maxage: time("How long shared caches may, in place of max_age."),
        stale_while_revalidate: time("How long past that it may be used while a new one is fetched (RFC 5861)."),
        stale_if_error: time("How long past that it may be used when no new one can be had (RFC 5861)."),
        public: flag("Shared caches may keep it even where the request was authorised."),
        private: flag("Only the client may keep it."),
        no_cache: flag("It may be kept, but must be revalidated each time."),
        no_store: flag("It must not be kept at all."),
        no_transform: flag("Nobody may change it on the way: edge does not compress it either."),
        must_revalidate: flag("Never use it when it is stale."),
        immutable: flag("It never changes while it is fresh (RFC 8246)."),
        override: flag("Set it on answers that have a Cache-Control of their own too."),
      }),
    ],
    'must be a duration such as "365d", directives such as "no-store", or a table such as { max_age = "365d", immutable = true }',
  ),
  v.description('How long ("1h"), the whole value ("no-store"), or a table of directives.'),
)

export type CacheControlConfig = v.InferOutput<typeof cacheControlSchema>
