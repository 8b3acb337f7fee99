/** HTML as the text of a mail: paragraphs apart, links with their address, lists with dashes. Made for our own templates. */
export async function textOf(html: string): Promise<string> {
  let out = ""
  let skipping = 0
  const rewriter = new HTMLRewriter()
    .on("style, title, script", {
      element(element) {
        skipping++
        element.onEndTag(() => void skipping--)
      },
    })
    .on("p, div, h1, h2, h3, ul, ol, table, tr, blockquote, footer, header, main, section", {
      element(element) {
        out += "\n\n"
        element.onEndTag(() => void (out += "\n\n"))
      },
    })
    .on("br", { element: () => void (out += "\n") })
    .on("hr", { element: () => void (out += "\n\n--\n\n") })
    .on("li", { element: () => void (out += "\n- ") })
    .on("a", {
      element(element) {
        const href = element.getAttribute("href") ?? ""
        const start = out.length
        element.onEndTag(() => {
          const said = decode(out.slice(start)).trim()
          if (href !== "" && said !== decode(href)) out += `:\n${href}\n`
        })
      },
    })
    .onDocument({
      text(chunk) {
        if (skipping === 0) out += chunk.text.replaceAll(/\s+/g, " ")
      },
    })
  await rewriter.transform(new Response(html, { headers: { "content-type": "text/html" } })).text()
  const lines = decode(out).split("\n").map(line => line.trim())
  return `${lines.join("\n").replaceAll(/\n{3,}/g, "\n\n").trim()}\n`
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: " " }

function decode(text: string): string {
  return text.replaceAll(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name: string) => ENTITIES[name]!)
}
