/** Which origins may: by a table, and by the ends of names for wildcards. */
export class Origins {
  readonly any: boolean
  readonly #exact: ReadonlySet<string>
  readonly #wild: readonly { readonly scheme: string; readonly end: string }[]

  constructor(origins: readonly string[]) {
    this.any = origins.includes("*")
    this.#exact = new Set(origins.filter(origin => !origin.includes("*")))
    this.#wild = origins
      .filter(origin => origin.includes("://*."))
      .map(origin => {
        const [scheme = "", end = ""] = origin.split("*")
        return { scheme, end }
      })
  }

  /** "named": one of few; "wild": one of as many as there are names; undefined: it may not. */
  find(origin: string): "named" | "wild" | undefined {
    if (this.#exact.has(origin)) return "named"
    const isWild = this.#wild.some(
      ({ scheme, end }) =>
        origin.length > scheme.length + end.length &&
        origin.startsWith(scheme) &&
        origin.endsWith(end) &&
        // "https://evil.example/.example.com" and the like are no origins, but nothing is taken on trust.
        /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(origin.slice(scheme.length, origin.length - end.length)),
    )
    return isWild ? "wild" : undefined
  }
}
