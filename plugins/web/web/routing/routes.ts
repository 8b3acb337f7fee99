/**
 * Routes by path: a tree of segments. A path without parameters on its way costs one Map look-up per segment that some
 * route names, and the chain of what may answer there is made once; so cost does not grow with the number of routes.
 * Declined: a table of whole paths in front of the tree; it must be bounded against floods of made-up paths, and then
 * costs as much as one or two segments do.
 */
import type { Answer, Awaitable, Exchange, Handler } from "edge"
import { encodePath, HeaderList, mayReadOtherwise, PASS, Reply } from "edge"
import { unambiguous } from "./ambiguous-path.ts"
import { Attempt, chain, type RouteMatch, inOrder, noParams } from "./chain.ts"
import type { Pattern } from "./path-pattern.ts"

export type RouteEntry = Omit<RouteMatch, "restAt" | "params">

class Node {
  readonly parent: Node | null
  children: Map<string, Node> | null = null
  /** The child for any one segment that is not empty. */
  param: Node | null = null
  /** Routes whose path ends here. */
  readonly exact: Named[] = []
  /** Routes `/here/*`. */
  readonly below: Named[] = []
  /** Routes `/here/stem*`. */
  readonly stems: { readonly text: string; readonly named: Named }[] = []
  /** Made when first needed: who answers when the path ends here, and when it goes on below. */
  atEnd: Handler | null = null
  atBelow: Handler | null = null

  constructor(parent: Node | null) {
    this.parent = parent
  }
}

/** A route at its node. */
class Named {
  constructor(
    readonly entry: RouteEntry,
    /** Names of the parameters on the way, in order. */
    readonly names: readonly string[],
    /** Length of the fixed path before the `*`, where there are no parameters. */
    readonly restAt: number,
  ) {}

  /** As it is tried for one path. */
  with(values: readonly string[], restAt: number): RouteMatch {
    const { order, run, match } = this.entry
    if (this.names.length === 0) return { order, run, match, restAt, params: noParams }
    const params: Record<string, string> = {}
    for (let i = 0; i < this.names.length; i++) params[this.names[i]!] = values[i]!
    return { order, run, match, restAt, params }
  }

  /** The same for every path that comes by: there are no parameters. */
  get plain(): RouteMatch {
    return this.with(noValues, this.restAt)
  }
}

const noValues: readonly string[] = []

export class RouteTree {
  readonly #root = new Node(null)
  /** Routes `*.ext`, by their text. */
  readonly #suffixes = new Map<string, Named[]>()

  add(pattern: Pattern, entry: RouteEntry): void {
    let node = this.#root
    let length = 0
    const names: string[] = []
    for (const segment of pattern.segments) {
      if (typeof segment === "string") {
        const children = (node.children ??= new Map())
        let child = children.get(segment)
        if (child === undefined) children.set(segment, (child = new Node(node)))
        node = child
        length += 1 + segment.length
      } else {
        names.push(segment.param)
        node = node.param ??= new Node(node)
      }
    }
    const named = new Named(entry, names, pattern.kind === "below" ? length : 0)
    if (pattern.kind === "exact") node.exact.push(named)
    else if (pattern.kind === "below") node.below.push(named)
    else if (pattern.kind === "stem") node.stems.push({ text: pattern.text2, named })
    else this.#suffixes.set(pattern.text2, [...(this.#suffixes.get(pattern.text2) ?? []), named])
  }

  readonly handle: Handler = x => this.#route(mayReadOtherwise(x) ? unambiguous(x, path => this.#routesOf(x, path)) : x)

  #route(x: Exchange): Awaitable<Answer> {
    const { path } = x
    if (this.#suffixes.size > 0 && this.#suffixed(path) !== undefined) return this.#runAll(x)
    let node = this.#root
    for (let from = 1; ; ) {
      if (node.param !== null || node.stems.length > 0) return this.#runAll(x)
      if (node.children === null) return (node.atBelow ??= chain(belowOf(node)))(x)
      const slash = path.indexOf("/", from)
      const child = node.children.get(slash < 0 ? path.slice(from) : path.slice(from, slash))
      if (child === undefined) return (node.atBelow ??= chain(belowOf(node)))(x)
      if (slash < 0) return (child.atEnd ??= endChain(child))(x)
      node = child
      from = slash + 1
    }
  }

  /** Which routes are tried for a path, and which would be for the path with a slash at its end. */
  #routesOf(x: Exchange, path: string): string {
    const { found, bare } = this.#find(path)
    const as = path === x.path ? x : x.with({ path })
    const orders = (entries: RouteMatch[]): number[] => inOrder(entries).filter(({ match }) => match === null || match(as)).map(entry => entry.order)
    return `${orders(found).join()}/${orders(bare).join()}`
  }

  #suffixed(path: string): Named[] | undefined {
    const dot = path.lastIndexOf(".")
    return dot > path.lastIndexOf("/") ? this.#suffixes.get(path.slice(dot)) : undefined
  }

  /** The general way, where parameters, stems or suffixes are met: all that match, then in order. */
  #runAll(x: Exchange): Awaitable<Answer> {
    const { found, bare } = this.#find(x.path)
    const answer = new Attempt(x, found.length > 1 ? inOrder(found) : found).from(0)
    return bare.length === 0 ? answer : orSlash(x, { answer, bare })
  }

  #find(path: string): { found: RouteMatch[]; bare: RouteMatch[] } {
    const found: RouteMatch[] = []
    const bare: RouteMatch[] = []
    new Walk(path, { found, bare }).below(this.#root, 1)
    if (this.#suffixes.size > 0) for (const named of this.#suffixed(path) ?? []) found.push(named.plain)
    return { found, bare }
  }
}

/** Collects the routes that match one path. */
class Walk {
  /** Values of the parameters on the way to where the walk is. */
  readonly #values: string[] = []
  readonly #path: string
  readonly #found: RouteMatch[]
  /** `/a/*` where the path is `/a`. */
  readonly #bare: RouteMatch[]

  constructor(path: string, { found, bare }: { found: RouteMatch[]; bare: RouteMatch[] }) {
    this.#path = path
    this.#found = found
    this.#bare = bare
  }

  /** `from` is where the next segment starts. */
  below(node: Node, from: number): void {
    const path = this.#path
    for (const named of node.below) this.#found.push(named.with(this.#values, from - 1))
    for (const { text, named } of node.stems) {
      if (path.startsWith(text, from)) this.#found.push(named.with(this.#values, from - 1))
    }
    const slash = path.indexOf("/", from)
    const segment = slash < 0 ? path.slice(from) : path.slice(from, slash)
    const child = node.children?.get(segment)
    if (child !== undefined) this.#step(child, slash)
    if (node.param === null || segment === "") return
    this.#values.push(segment)
    this.#step(node.param, slash)
    this.#values.pop()
  }

  /** `slash` is behind the node's segment, or -1 at the end of the path. */
  #step(node: Node, slash: number): void {
    if (slash >= 0) {
      this.below(node, slash + 1)
      return
    }
    for (const named of node.exact) this.#found.push(named.with(this.#values, 0))
    for (const named of node.below) this.#bare.push(named.with(this.#values, 0))
  }
}

/** Of a node that has no parameter above it: `/here/*` and all that is wider. */
function belowOf(node: Node): RouteMatch[] {
  const entries: RouteMatch[] = []
  for (let at: Node | null = node; at !== null; at = at.parent) for (const named of at.below) entries.push(named.plain)
  return inOrder(entries)
}

function endChain(node: Node): Handler {
  const wider = node.parent === null ? [] : belowOf(node.parent)
  return withSlash(chain(inOrder([...node.exact.map(named => named.plain), ...wider])), node.below.map(named => named.plain))
}

/** Where nothing else answers `/a`, and a route `/a/*` would answer `/a/`: there (308, so that a POST stays one). */
function withSlash(handler: Handler, bare: readonly RouteMatch[]): Handler {
  if (bare.length === 0) return handler
  return x => orSlash(x, { answer: handler(x), bare })
}

function orSlash(x: Exchange, { answer, bare }: { answer: Awaitable<Answer>; bare: readonly RouteMatch[] }): Awaitable<Answer> {
  if (answer instanceof Promise) return answer.then(got => (got === PASS ? toSlash(x, bare) : got))
  return answer === PASS ? toSlash(x, bare) : answer
}

function toSlash(x: Exchange, bare: readonly RouteMatch[]): Answer {
  if (!bare.some(entry => entry.match === null || entry.match(x))) return PASS
  // From the normal form: the raw target may be "//evil.example", which a browser takes for a host.
  const location = encodePath(`${x.prefix}${x.path}/`) + (x.query === "" ? "" : `?${x.query}`)
  return new Reply(308, new HeaderList(["Location", location]))
}
