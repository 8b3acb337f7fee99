import { isAlike } from "../codec/alike.ts"

/** Names that somebody answers for; lists that were made from one another share what they have in common. */
interface Claim {
  readonly name: string
  readonly before: Claim | null
}

/** A header field line: its name as written, and its value. */
export type HeaderPair = readonly [name: string, value: string]

/**
 * The header lines of one message, in order, with their case and duplicates kept (RFC 9110, 5.1 to 5.3).
 * Look-ups ignore case. A list may share its lines with others (`shared`): the first change copies them.
 */
export class HeaderList {
  /** name, value, name, value, ... */
  #flat: string[]
  #owned: boolean
  /** Whether there is a line of that name or not. */
  #claimed: Claim | null = null

  constructor(flat: string[] = [], owned = true) {
    this.#flat = flat
    this.#owned = owned
  }

  /** A list over lines that somebody else keeps; they are copied at the first change. */
  static shared(flat: string[]): HeaderList {
    return new HeaderList(flat, false)
  }

  static from(init?: HeaderList | Headers | Iterable<HeaderPair> | Record<string, string>): HeaderList {
    const flat: string[] = []
    if (init === undefined) return new HeaderList(flat)
    if (init instanceof HeaderList) {
      const list = new HeaderList(init.#flat.slice())
      list.#claimed = init.#claimed
      return list
    }
    const pairs = Symbol.iterator in init ? init : Object.entries(init)
    for (const [name, value] of pairs) flat.push(name, value)
    return new HeaderList(flat)
  }

  /** True once changed since `shared()`; a pre-serialised head is then no longer valid. */
  get changed(): boolean {
    return this.#owned
  }

  /** Number of lines. */
  get size(): number {
    return this.#flat.length >> 1
  }

  /** name, value, name, value, ... Not to be changed by the caller. */
  get flat(): readonly string[] {
    return this.#flat
  }

  #find(name: string, from = 0): number {
    const flat = this.#flat
    const n = name.length
    let lower: string | undefined
    for (let i = from; i < flat.length; i += 2) {
      const have = flat[i]!
      if (have.length !== n) continue
      if (have === name || have.toLowerCase() === (lower ??= name.toLowerCase())) return i
    }
    return -1
  }

  #own(): string[] {
    if (!this.#owned) {
      this.#flat = this.#flat.slice()
      this.#owned = true
    }
    return this.#flat
  }

  has(name: string): boolean {
    return this.#find(name) >= 0
  }

  /** All values of the name joined by ", " (RFC 9110, 5.2), or null. Use `getAll` for Set-Cookie. */
  get(name: string): string | null {
    const first = this.#find(name)
    if (first < 0) return null
    let value = this.#flat[first + 1]!
    for (let i = this.#find(name, first + 2); i >= 0; i = this.#find(name, i + 2)) value += ", " + this.#flat[i + 1]!
    return value
  }

  getAll(name: string): string[] {
    const values: string[] = []
    for (let i = this.#find(name); i >= 0; i = this.#find(name, i + 2)) values.push(this.#flat[i + 1]!)
    return values
  }

  /** Replaces every line of that name by one, at the place of the first. */
  set(name: string, value: string): void {
    const first = this.#find(name)
    const flat = this.#own()
    if (first < 0) {
      flat.push(name, value)
      return
    }
    flat[first] = name
    flat[first + 1] = value
    for (let i = this.#find(name, first + 2); i >= 0; i = this.#find(name, i)) flat.splice(i, 2)
  }

  append(name: string, value: string): void {
    this.#own().push(name, value)
  }

  delete(name: string): boolean {
    let i = this.#find(name)
    if (i < 0) return false
    const flat = this.#own()
    for (; i >= 0; i = this.#find(name, i)) flat.splice(i, 2)
    return true
  }

  /**
   * Deletes every line that an app may take for this field, and remembers that it is ours: of a request, for which we say what it
   * is. A trailer of that name then goes no further.
   */
  deleteAlike(name: string): void {
    this.#claimed = { name, before: this.#claimed }
    const flat = this.#flat
    for (let i = flat.length - 2; i >= 0; i -= 2) if (isAlike(flat[i]!, name)) this.#own().splice(i, 2)
  }

  /** True when a line of the name, or of one that apps take for it, is there or was taken off by `deleteAlike`. */
  claims(name: string): boolean {
    for (let i = 0; i < this.#flat.length; i += 2) if (isAlike(this.#flat[i]!, name)) return true
    for (let claim = this.#claimed; claim !== null; claim = claim.before) if (isAlike(claim.name, name)) return true
    return false
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    const flat = this.#flat
    for (let i = 0; i < flat.length; i += 2) yield [flat[i]!, flat[i + 1]!]
  }
}
