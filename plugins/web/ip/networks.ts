/** Which of many networks an address is in: one look-up per length of prefix, whatever the number of networks. */
import { addressBytes } from "edge"

/** Answers that are kept: clients come again. */
const MOST_KNOWN = 4096

export class Networks {
  /** By family and bits: masked address -> the lowest rank of the networks there. */
  readonly #tables = new Map<string, { readonly length: 4 | 16; readonly bits: number; readonly ranks: Map<string, number> }>()
  #known = new Map<string, number>()
  #unix = Infinity
  /** Of what fits everything: also "unknown" and the like, which a trusted proxy may give for an address. */
  #all = Infinity

  /** `network` as "10.0.0.0/8", "::1", "unix" or "all". */
  add(network: string, rank: number): void {
    if (network === "unix") this.#unix = Math.min(this.#unix, rank)
    else if (network === "all") this.#all = Math.min(this.#all, rank)
    else this.#addRange(network, rank)
  }

  #addRange(range: string, rank: number): void {
    const [address = "", width] = range.split("/")
    const bytes = addressBytes(address)!
    // "::ffff:10.0.0.0/104" is 10.0.0.0/8 in other words.
    const mapped = bytes.length === 4 && address.includes(":") ? 96 : 0
    const bits = width === undefined ? bytes.length * 8 : Math.max(0, Number(width) - mapped)
    const id = `${bytes.length}/${bits}`
    let table = this.#tables.get(id)
    if (table === undefined) this.#tables.set(id, (table = { length: bytes.length as 4 | 16, bits, ranks: new Map() }))
    const key = masked(bytes, bits)
    table.ranks.set(key, Math.min(rank, table.ranks.get(key) ?? Infinity))
  }

  /** The lowest rank of the networks that the address is in; Infinity when it is in none. */
  rank(ip: string): number {
    let rank = this.#known.get(ip)
    if (rank !== undefined) return rank
    rank = this.#find(ip)
    if (this.#known.size >= MOST_KNOWN) this.#known = new Map()
    this.#known.set(ip, rank)
    return rank
  }

  #find(ip: string): number {
    if (ip === "unix") return Math.min(this.#unix, this.#all)
    const bytes = addressBytes(ip)
    let rank = this.#all
    if (bytes === null) return rank
    for (const { length, bits, ranks } of this.#tables.values()) {
      if (length === bytes.length) rank = Math.min(rank, ranks.get(masked(bytes, bits)) ?? Infinity)
    }
    return rank
  }
}

function masked(bytes: readonly number[], bits: number): string {
  let key = ""
  for (let i = 0; i < bytes.length && i * 8 < bits; i++) {
    const left = bits - i * 8
    key += String.fromCharCode(left >= 8 ? bytes[i]! : bytes[i]! & (0xff << (8 - left)))
  }
  return key
}
