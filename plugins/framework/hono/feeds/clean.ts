/**
 * Texts that XML 1.0 can carry (section 2.2): control characters and lone surrogates make a reader refuse the whole feed.
 * C1 controls and non-characters are allowed and discouraged; they go too. Marks for right-to-left text stay.
 */
export function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.toWellFormed().replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufdd0-\ufdef\ufffe\uffff]|[\u{1fffe}\u{1ffff}]/gu, "")
}

/** One line. */
export function line(text: string): string {
  return clean(text).replaceAll(/\s+/g, " ").trim()
}

/**
 * An absolute http or https URL in the characters of RFC 3986; undefined for anything else, as `javascript:`. URL leaves
 * some as they are that validators of feeds and sitemaps refuse.
 */
export function absolute(url: string, base: string): string | undefined {
  const parsed = URL.parse(clean(url), base)
  if (parsed?.protocol !== "https:" && parsed?.protocol !== "http:") return undefined
  const { href } = parsed
  if (!/[[\]|^`\\{}]/.test(href)) return href
  const rest = href.indexOf("/", parsed.protocol.length + 2)
  return href.slice(0, rest) + href.slice(rest).replaceAll(/[[\]|^`\\{}]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

const LINKS: readonly (readonly [selector: string, attribute: string])[] = [
  ["a[href]", "href"],
  ["img[src]", "src"],
  ["source[src]", "src"],
  ["video[src]", "src"],
  ["video[poster]", "poster"],
  ["audio[src]", "src"],
]

/** A reader shows the text on its own page: links and pictures must be absolute, and scripts have no business there. */
export function absoluteHtml(html: string, base: string): string {
  const rewriter = new HTMLRewriter()
  rewriter.on("script, style, iframe, object, embed, form", { element: element => void element.remove() })
  for (const [selector, attribute] of LINKS) {
    rewriter.on(selector, {
      element(element) {
        const given = element.getAttribute(attribute) ?? ""
        const url = /^\s*mailto:/i.test(given) && attribute === "href" ? given : absolute(given, base)
        if (url === undefined) element.removeAttribute(attribute)
        else element.setAttribute(attribute, url)
      },
    })
  }
  return rewriter.transform(clean(html))
}
