/** Documents against the schemas beside this file, by xmllint: what is wrong with them, nothing when they are valid. */
import { join } from "node:path"
import * as v from "valibot"
import { found } from "../../../../test/kit/needs.ts"

const schemas = join(import.meta.dir, "schemas")

export async function faultsOf(kind: "rss" | "atom" | "sitemap", xml: string | Uint8Array): Promise<string> {
  const schema = kind === "sitemap" ? ["--schema", join(schemas, "sitemap.xsd")] : ["--relaxng", join(schemas, `${kind}.rng`)]
  const child = Bun.spawn([found("xmllint")!, "--noout", "--huge", "--nonet", ...schema, "-"], { stdin: new Blob([xml as string]), stdout: "pipe", stderr: "pipe" })
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  return code === 0 ? "" : said
}

const url = v.pipe(v.string(), v.url(), v.regex(/^https?:\/\/[!-~]+$/))
const date = v.pipe(v.string(), v.isoTimestamp())
const author = v.strictObject({ name: v.optional(v.string()), url: v.optional(url), avatar: v.optional(url) })

/** https://www.jsonfeed.org/version/1.1/, without what we never write. */
const JsonFeed = v.strictObject({
  version: v.literal("https://jsonfeed.org/version/1.1"),
  title: v.pipe(v.string(), v.nonEmpty()),
  home_page_url: v.optional(url),
  feed_url: v.optional(url),
  description: v.optional(v.string()),
  icon: v.optional(url),
  favicon: v.optional(url),
  language: v.optional(v.string()),
  authors: v.optional(v.pipe(v.array(author), v.nonEmpty())),
  items: v.array(
    v.pipe(
      v.strictObject({
        id: v.pipe(v.string(), v.nonEmpty()),
        url: v.optional(url),
        title: v.optional(v.string()),
        content_html: v.optional(v.string()),
        content_text: v.optional(v.string()),
        summary: v.optional(v.string()),
        image: v.optional(url),
        date_published: v.optional(date),
        date_modified: v.optional(date),
        authors: v.optional(v.pipe(v.array(author), v.nonEmpty())),
        tags: v.optional(v.array(v.pipe(v.string(), v.nonEmpty()))),
        language: v.optional(v.string()),
        attachments: v.optional(
          v.array(
            v.strictObject({
              url,
              mime_type: v.pipe(v.string(), v.regex(/^[^/\s]+\/[^/\s]+$/)),
              title: v.optional(v.string()),
              size_in_bytes: v.optional(v.pipe(v.number(), v.integer())),
              duration_in_seconds: v.optional(v.number()),
            }),
          ),
        ),
      }),
      v.check(item => item.content_html !== undefined || item.content_text !== undefined, "neither content_html nor content_text"),
    ),
  ),
})

export function faultsOfJson(text: string): string {
  const result = v.safeParse(JsonFeed, JSON.parse(text))
  return result.success ? "" : result.issues.map(issue => `${v.getDotPath(issue)}: ${issue.message}`).join("\n")
}

/** Texts that have broken feeds: each is a title, a name or a summary that a visitor may have typed. */
export const HOSTILE: readonly string[] = [
  "plain",
  "a & b < c > d \" e ' f",
  "]]> and <![CDATA[ x ]]>",
  "<script>alert(1)</script><!-- x",
  "&amp; &lt; &#0; &nbsp;",
  "control \u0000\u0001\u0008\u000b\u000c\u001b\u007f\u0085\u009f end",
  "non-characters \ufffe\uffff\ufdd0 \u{1fffe}",
  "lone \ud800 and \udc00 surrogates",
  "right \u202e\u2066to\u2069 left \u200f שלום",
  "emoji 👩‍👩‍👧‍👦 😀",
  "lines\r\nand\ttabs\u2028here",
  "zażółć gęślą jaźń",
  " ",
]
