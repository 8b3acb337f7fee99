import { describe, expect, test } from "bun:test"
import { markdownToHtml } from "./markdown.tsx"

describe("markdown", () => {
  test("what it is for", () => {
    expect(markdownToHtml("# A\n\n**b** [c](/d?e=1&f) ![g](h.png) `<i>`\n\n- x\n")).toBe(
      '<h1>A</h1>\n<p><strong>b</strong> <a href="/d?e=1&amp;f">c</a> <img src="h.png" alt="g" /> <code>&lt;i&gt;</code></p>\n<ul>\n<li>x</li>\n</ul>\n',
    )
    expect(markdownToHtml("[a](https://b.example)")).toBe('<p><a href="https://b.example" rel="nofollow noopener ugc">a</a></p>\n')
    expect(markdownToHtml("[a](mailto:a@b.example)")).toContain('href="mailto:a@b.example"')
  })

  test.each([
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java&#115;cript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](javascript&#x3a;alert(1))",
    "[a](<java\tscript:alert(1)>)",
    "[a](&#1;javascript:alert(1))",
    "[a](&#x2028;javascript:alert(1))",
    "[a](vbscript:x)",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "![a](javascript:alert(1))",
    "![a](data:image/svg+xml,x)",
    "<javascript:alert(1)>",
    "[a][b]\n\n[b]: javascript:alert(1)",
    "[a][b]\n\n[b]:\n  javascript:alert(1) 'x'",
  ])("%j leads nowhere", text => {
    const html = markdownToHtml(text)
    for (const [, url] of html.matchAll(/(?:href|src)="([^"]*)"/g)) expect(url).toBe("#")
    expect(html).not.toMatch(/<a[^>]*(?:script|data)\s*:/i)
  })

  test.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick=alert(1)>b</b>",
    '[a](/b "\\" onmouseover=alert(1) x=\\"")',
    '![" onerror="alert(1)](x.png)',
    "```\" onload=\"x\n</code><script>\n```",
    "<a href=\"javascript:x\">y</a>",
    "<!-- --><svg/onload=alert(1)>",
    '[a](/b" onclick="x)',
  ])("%j: no element and no attribute of the author's", text => {
    const html = markdownToHtml(text)
    const tags = [...html.matchAll(/<\/?([a-z]\w*)((?:[^>"]|"[^"]*")*)>/gi)]
    for (const [, name, attributes] of tags) {
      expect(["p", "a", "img", "code", "pre", "em", "strong"]).toContain(name!.toLowerCase())
      for (const [, attribute] of attributes!.matchAll(/\s([\w-]+)="[^"]*"/g)) expect(["href", "src", "alt", "title", "class", "rel"]).toContain(attribute!)
    }
  })
})
