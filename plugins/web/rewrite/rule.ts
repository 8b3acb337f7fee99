/** One rule: a regular expression over the path, and what comes in its place. */
import type { Exchange } from "edge"
import { encodePath } from "edge"
import type { RuleConfig } from "./schema.ts"

/** A path and query as a rule made them: the path percent-encoded, the query raw. */
export interface Rewritten {
  readonly path: string
  readonly query: string
}

type Piece = string | ((caught: RegExpExecArray, x: Exchange) => string)

export class Rule {
  readonly status: number | undefined
  readonly #from: RegExp
  readonly #all: boolean
  readonly #path: readonly Piece[]
  readonly #query: readonly Piece[]
  /** `to` says what the query is, so that the client's is not added (as in nginx, a "?" at the end drops it). */
  readonly #ownQuery: "no" | "first" | "only"

  /** Throws when the expression or `to` cannot be. */
  constructor({ from, to, all, status }: RuleConfig) {
    this.status = status
    this.#all = all
    this.#from = new RegExp(from, all ? "gu" : "u")
    const mark = to.indexOf("?")
    const path = mark < 0 ? to : to.slice(0, mark)
    const query = mark < 0 ? "" : to.slice(mark + 1)
    if (all && mark >= 0) throw new Error('with "all" only the path is replaced; "to" cannot have a query')
    if (!all && !/^(?:\/(?![/\\])|\{path\})/.test(path)) throw new Error(`"${to}" must begin with one "/"`)
    const groups = new RegExp(`${from}|`, "u").exec("")!
    this.#path = split(path, groups)
    this.#query = split(query, groups)
    this.#ownQuery = mark < 0 ? "no" : query === "" || query.includes("{query}") ? "only" : "first"
  }

  /** Undefined where it does not match. */
  apply(x: Exchange, path: string): Rewritten | undefined {
    if (this.#all) {
      this.#from.lastIndex = 0
      if (!this.#from.test(path)) return undefined
      const replace = (...args: unknown[]): string => join(this.#path, { caught: toExec(args), x, encode: plain })
      return { path: encodePath(path.replace(this.#from, replace as never)), query: x.query }
    }
    const caught = this.#from.exec(path)
    if (caught === null) return undefined
    const query = join(this.#query, { caught, x, encode: encodeURIComponent })
    return {
      path: encodePath(join(this.#path, { caught, x, encode: plain })),
      query: this.#ownQuery === "no" ? x.query : this.#ownQuery === "only" || x.query === "" ? query : `${query}&${x.query}`,
    }
  }
}

const plain = (text: string): string => text

/** The arguments of a replacer as `exec` would give them. */
function toExec(args: unknown[]): RegExpExecArray {
  const last = args.at(-1)
  const groups = typeof last === "object" ? (last as Record<string, string>) : undefined
  return Object.assign(args.slice(0, groups === undefined ? -2 : -3), { groups }) as unknown as RegExpExecArray
}

interface Joining {
  readonly caught: RegExpExecArray
  readonly x: Exchange
  encode(text: string): string
}

function join(pieces: readonly Piece[], { caught, x, encode }: Joining): string {
  let text = ""
  for (const piece of pieces) text += typeof piece === "string" ? piece : piece === wholeQuery ? x.query : encode(piece(caught, x))
  return text
}

const wholeQuery: Piece = (_, x) => x.query
const placeholder = /\$(\d)|\$<([A-Za-z_]\w*)>|\{(\w+)\}/g

function split(text: string, groups: RegExpExecArray): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const match of text.matchAll(placeholder)) {
    if (match.index > at) pieces.push(text.slice(at, match.index))
    pieces.push(toPiece(match, groups))
    at = match.index + match[0].length
  }
  if (at < text.length) pieces.push(text.slice(at))
  return pieces
}

function toPiece([whole, digit, group, name]: RegExpExecArray, groups: RegExpExecArray): Piece {
  if (digit !== undefined) {
    if (Number(digit) >= groups.length) throw new Error(`${whole}: the expression has ${groups.length - 1} groups`)
    return caught => caught[Number(digit)] ?? ""
  }
  if (group !== undefined) {
    if (groups.groups === undefined || !(group in groups.groups)) throw new Error(`${whole}: the expression has no such group`)
    return caught => caught.groups?.[group] ?? ""
  }
  switch (name) {
    case "path":
      return (_, x) => x.path
    case "query":
      return wholeQuery
    case "host":
      return (_, x) => x.host
    case "rest":
      return (_, x) => x.path.slice(x.restAt + 1)
  }
  throw new Error(`unknown ${whole}; there are {path}, {query}, {host}, {rest}`)
}
