/** Cache-Status: what the cache did, for the client (RFC 9211). */
import type { HeaderList } from "edge"

export type Outcome = "hit" | "stale" | "updating" | "revalidated" | "expired" | "miss" | "bypass"

/** RFC 9211. */
const said: Readonly<Record<Outcome, string>> = {
  hit: "hit",
  stale: "fwd=stale; detail=stale-if-error",
  updating: "hit; detail=stale-while-revalidate",
  revalidated: "fwd=stale; fwd-status=304",
  expired: "fwd=stale",
  miss: "fwd=uri-miss",
  bypass: "fwd=bypass",
}

export interface StatusDetails {
  readonly stored?: boolean
  readonly collapsed?: boolean
  readonly vary?: boolean
  /** Something behind the cache looks at who asks, so that it keeps nothing. */
  readonly forOne?: boolean
}

/** Adds the line; `false` for none. */
export class StatusLine {
  readonly #name: string | false
  readonly #standard: boolean
  /** Of a hit, as lines. */
  readonly hit: readonly string[]

  constructor(name: string | false) {
    this.#name = name
    this.#standard = name !== false && name.toLowerCase() === "cache-status"
    this.hit = name === false ? [] : [name, this.#standard ? "edge; hit" : "HIT"]
  }

  add(headers: HeaderList, outcome: Outcome, more: StatusDetails = {}): void {
    if (this.#name === false) return
    if (!this.#standard) return headers.set(this.#name, outcome.toUpperCase())
    const own = more.vary === true && outcome === "miss" ? "fwd=vary-miss" : said[outcome]
    // The caches nearer to the origin stand in front (RFC 9211 2).
    headers.append(this.#name, `edge; ${own}${more.stored === true ? "; stored" : ""}${more.collapsed === true ? "; collapsed" : ""}${more.forOne === true ? "; detail=for-this-client" : ""}`)
  }

  /** In place of "hit" in the lines of a stored answer. */
  replace(headers: HeaderList, outcome: Outcome, more?: StatusDetails): void {
    if (this.#name === false) return
    const lines = headers.getAll(this.#name).slice(0, -1)
    headers.delete(this.#name)
    for (const line of lines) headers.append(this.#name, line)
    this.add(headers, outcome, more)
  }
}
