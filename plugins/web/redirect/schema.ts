import * as v from "valibot"

const to = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7e]+$/, "must be a URL in ASCII, without spaces"),
  v.description('Where to: "/new/{rest}", "https://{host}{path}". {rest} is what the route\'s * matched, {id} or :id a parameter.'),
)

export const redirectSchema = v.pipe(
  v.union(
    [
      to,
      v.strictObject({
        to,
        status: v.pipe(
          v.optional(v.picklist([301, 302, 303, 307, 308], "must be 301, 302, 303, 307 or 308"), 308),
          v.description("301 and 308 are kept by clients; 307 and 308 keep the method; 303 makes it GET."),
        ),
        keep_query: v.pipe(
          v.optional(v.boolean(), true),
          v.description('Hand the query on, where "to" has none of its own.'),
        ),
      }),
    ],
    'must be a URL, or a table such as { to = "/new/{rest}", status = 308 }',
  ),
  v.description("Where to, or a table."),
)
