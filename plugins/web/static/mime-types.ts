import { lookup } from "mrmime"

/** Content-Type by a file's extension. */
export class MimeTypes {
  readonly #own: ReadonlyMap<string, string>
  readonly #charset: string

  constructor(own: Readonly<Record<string, string>>, charset: string) {
    this.#own = new Map(Object.entries(own).map(([extension, type]) => [extension.slice(1).toLowerCase(), type]))
    this.#charset = charset === "" ? "" : `; charset=${charset}`
  }

  of(file: string): string {
    const name = file.slice(file.lastIndexOf("/") + 1)
    for (let dot = name.indexOf("."); dot >= 0 && this.#own.size > 0; dot = name.indexOf(".", dot + 1)) {
      const own = this.#own.get(name.slice(dot + 1).toLowerCase())
      if (own !== undefined) return own
    }
    const type = name.includes(".") ? (lookup(name) ?? "application/octet-stream") : "application/octet-stream"
    // An XML file says its own, which a parameter would overrule (RFC 7303 3.2).
    return type.startsWith("text/") && type !== "text/xml" ? type + this.#charset : type
  }
}
