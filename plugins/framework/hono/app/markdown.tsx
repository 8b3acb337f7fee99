import { raw } from "hono/html"
import type { Child } from "hono/jsx"

/** HTML in the text is shown as text: what is left to check are the addresses of links and pictures. */
const OPTIONS = { noHtmlBlocks: true, noHtmlSpans: true, tagFilter: true, autolinks: { url: true, www: true, email: false } } as const

/** Markdown as HTML that is safe whoever wrote it: no HTML of the author's, no `javascript:` in links. */
export function markdownToHtml(text: string): string {
  // Text is escaped, quotes too, so that these can only be tags which the renderer made.
  return Bun.markdown.html(text, OPTIONS).replaceAll(/<(a|img)( href| src)="([^"]*)"/g, (whole, tag: string, name: string, url: string) => {
    if (!isSafeUrl(decode(url))) return `<${tag}${name}="#"`
    // Links of visitors must not lend the site's standing to spam, nor the page to what they open.
    return tag === "a" && /^(?:https?:)?\/\//i.test(url) ? `${whole} rel="nofollow noopener ugc"` : whole
  })
}

/** A field of kind markdown on a page. */
export function Markdown({ text }: { readonly text: string }): Child {
  return raw(markdownToHtml(text))
}

/** Browsers drop tabs, line ends and control characters from a scheme before they look at it. */
function isSafeUrl(url: string): boolean {
  // oxlint-disable-next-line no-control-regex
  const plain = url.replaceAll(/[\u0000-\u0020\u007f-\u00a0\u200b-\u200f\u2028\u2029\ufeff]/g, "")
  const scheme = /^([^/?#:]*):/.exec(plain)?.[1]?.toLowerCase()
  return scheme === undefined || scheme === "http" || scheme === "https" || scheme === "mailto"
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', colon: ":", tab: "\t", newline: "\n" }

/** As a browser reads an attribute. */
function decode(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([\da-f]+)|(\w+));?/gi, (_, decimal: string | undefined, hex: string | undefined, name: string | undefined) => {
    const code = decimal !== undefined ? Number(decimal) : hex !== undefined ? Number.parseInt(hex, 16) : undefined
    if (code !== undefined) return code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd"
    return NAMED[name!.toLowerCase()] ?? `&${name!}`
  })
}
