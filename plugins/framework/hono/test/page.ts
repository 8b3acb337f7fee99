/** An answer, read to its end. */
export class Page {
  readonly path: string
  readonly status: number
  readonly headers: Headers
  /** Its body as text. */
  readonly text: string
  /** Where it leads to, for a redirect. */
  readonly location: string | undefined

  private constructor(response: Response, path: string, text: string) {
    this.path = path
    this.status = response.status
    this.headers = response.headers
    this.text = text
    this.location = response.headers.get("location") ?? undefined
  }

  static async of(response: Response, path: string): Promise<Page> {
    return new Page(response, path, await response.text())
  }

  json<T = unknown>(): T {
    return JSON.parse(this.text) as T
  }

  /** Texts of the elements that fit a CSS selector ("main h1", "li.error"), entities decoded. */
  find(selector: string): string[] {
    const found: string[] = []
    new HTMLRewriter()
      .on(selector, {
        element: () => void found.push(""),
        text: chunk => {
          found[found.length - 1] += chunk.text
        },
      })
      .transform(this.text)
    return found.map(text => decode(text).replaceAll(/\s+/g, " ").trim())
  }

  /** Values of an attribute of the elements that fit: `attribute("nav a", "href")`. */
  attribute(selector: string, name: string): string[] {
    const found: string[] = []
    new HTMLRewriter()
      .on(selector, {
        element: element => {
          const value = element.getAttribute(name)
          if (value !== null) found.push(decode(value))
        },
      })
      .transform(this.text)
    return found
  }
}

export interface FormOnPage {
  readonly action: string
  readonly method: string
  readonly multipart: boolean
  readonly names: readonly string[]
  /** What a browser would send if nothing was changed. */
  readonly values: readonly (readonly [name: string, value: string])[]
}

export function formsOf(page: Page): FormOnPage[] {
  const forms: { action: string; method: string; multipart: boolean; names: string[]; values: [string, string][] }[] = []
  let select: { name: string; multiple: boolean; first: string | undefined; chosen: boolean } | undefined
  const at = () => forms.at(-1)!
  const endSelect = (): void => {
    // A browser shows the first option when none is chosen.
    if (select !== undefined && !select.chosen && !select.multiple && select.first !== undefined) at().values.push([select.name, select.first])
    select = undefined
  }
  new HTMLRewriter()
    .on("form", {
      element(form) {
        const attribute = (name: string): string => decode(form.getAttribute(name) ?? "")
        forms.push({ action: attribute("action"), method: attribute("method").toLowerCase() || "get", multipart: attribute("enctype") === "multipart/form-data", names: [], values: [] })
        form.onEndTag(endSelect)
      },
    })
    .on("form input", {
      element(input) {
        const name = input.getAttribute("name")
        const type = (input.getAttribute("type") ?? "text").toLowerCase()
        if (name === null || input.hasAttribute("disabled") || type === "submit" || type === "button" || type === "image") return
        at().names.push(decode(name))
        const isBox = type === "checkbox" || type === "radio"
        if (type === "file" || (isBox && !input.hasAttribute("checked"))) return
        at().values.push([decode(name), decode(input.getAttribute("value") ?? (isBox ? "on" : ""))])
      },
    })
    .on("form button[name]", {
      element(button) {
        at().names.push(decode(button.getAttribute("name")!))
      },
    })
    .on("form textarea", {
      element(area) {
        const name = area.getAttribute("name")
        if (name === null) return
        at().names.push(decode(name))
        at().values.push([decode(name), ""])
      },
      text(chunk) {
        const last = at().values.at(-1)!
        last[1] += decode(chunk.text)
      },
    })
    .on("form select", {
      element(element) {
        const name = element.getAttribute("name")
        if (name === null) return
        at().names.push(decode(name))
        select = { name: decode(name), multiple: element.hasAttribute("multiple"), first: undefined, chosen: false }
        element.onEndTag(endSelect)
      },
    })
    .on("form select option", {
      element(option) {
        if (select === undefined) return
        const value = decode(option.getAttribute("value") ?? "")
        select.first ??= value
        if (!option.hasAttribute("selected")) return
        select.chosen = true
        at().values.push([select.name, value])
      },
    })
    .transform(page.text)
  return forms
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" }

function decode(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal: string | undefined, hex: string | undefined, name: string | undefined) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return NAMED[name!] ?? whole
  })
}
