/**
 * TOML text -> nodes that know their place. toml-eslint-parser gives the positions; for syntax errors Bun's own TOML
 * import has the better words and exact places, so it is asked for them (Bun.TOML.parse has the words only).
 */
import { type AST, parseTOML } from "toml-eslint-parser"
import { ConfigError, errors, type Place, type Problem } from "../errors.ts"

export type Scalar = string | number | boolean

export interface TableNode {
  readonly kind: "table"
  readonly at: Place
  readonly entries: Map<string, Entry>
}
export interface ListNode {
  readonly kind: "list"
  readonly at: Place
  readonly items: Node[]
  /** Written as `[[name]]`: include files may append to it. */
  readonly tables: boolean
}
export interface ScalarNode {
  readonly kind: "scalar"
  readonly at: Place
  value: Scalar
  /** The string was exactly one `${VARIABLE}`: it may fill a number or boolean. */
  variable: boolean
}
export type Node = TableNode | ListNode | ScalarNode

export interface Entry {
  readonly key: Place
  node: Node
}

/** Throws a ConfigError with every place that is wrong. */
export async function parseToml(text: string, file: string): Promise<TableNode> {
  let ast: AST.TOMLProgram
  try {
    // Editors on Windows begin a file with a byte order mark.
    ast = parseTOML(text.replace(/^\ufeff/, ""))
  } catch (error) {
    throw new ConfigError([await syntaxProblem(error, file)])
  }
  const problems: Problem[] = []
  const root = new Reader(file, problems).root(ast.body[0])
  if (problems.length > 0) throw new ConfigError(problems)
  return root
}

interface ParserError {
  readonly message: string
  readonly lineNumber?: number
  readonly column?: number
}
interface BunPosition {
  readonly line: number
  readonly column: number
}

async function syntaxProblem(error: unknown, file: string): Promise<Problem> {
  const theirs = error as ParserError
  let place = { file, line: theirs.lineNumber ?? 1, column: (theirs.column ?? 0) + 1 }
  let message = theirs.message
  try {
    // Its own name each time: Bun remembers modules by name, and the file may have changed since.
    await import(`${file}?${crypto.randomUUID()}`, { with: { type: "toml" } })
  } catch (bun) {
    const position = (bun as { position?: BunPosition | null }).position
    if (position) {
      place = { file, line: position.line, column: position.column }
      message = (bun as Error).message
    }
  }
  return { ...errors.syntax(message), place }
}

class Reader {
  constructor(
    readonly file: string,
    readonly problems: Problem[],
  ) {}

  root(top: AST.TOMLTopLevelTable): TableNode {
    const root: TableNode = { kind: "table", at: { file: this.file, line: 1, column: 1 }, entries: new Map() }
    for (const item of top.body) {
      if (item.type === "TOMLKeyValue") this.keyValue(root, item)
      else this.header(root, item)
    }
    return root
  }

  /** `[a.b]` and `[[a.b]]`: resolvedKey has the names with the index of each array of tables between. */
  header(root: TableNode, table: AST.TOMLTable): void {
    let node: Node = root
    let name = -1
    const resolved = table.resolvedKey
    for (const [depth, part] of resolved.entries()) {
      if (typeof part === "string") name++
      const at = this.place(table.key.keys[name]!)
      const child = (): Node =>
        typeof resolved[depth + 1] === "number"
          ? { kind: "list", at, items: [], tables: true }
          : { kind: "table", at, entries: new Map() }
      node = this.descend(node, part, { at, child })
    }
    if (node.kind === "table") for (const item of table.body) this.keyValue(node, item)
  }

  descend(node: Node, part: string | number, { at, child }: { at: Place; child: () => Node }): Node {
    if (typeof part === "number" && node.kind === "list") return (node.items[part] ??= child())
    if (typeof part === "string" && node.kind === "table") return this.entry(node, part, { key: at, make: child }).node
    throw new Error(`the TOML parser gave a key that does not fit: ${part}`)
  }

  keyValue(table: TableNode, item: AST.TOMLKeyValue): void {
    const keys = item.key.keys
    let node = table
    for (const [depth, key] of keys.entries()) {
      const at = this.place(key)
      const last = depth === keys.length - 1
      const make = (): Node => (last ? this.value(item.value) : { kind: "table", at, entries: new Map() })
      const entry = this.entry(node, keyName(key), { key: at, make })
      if (!last && entry.node.kind === "table") node = entry.node
    }
  }

  entry(table: TableNode, name: string, { key, make }: { key: Place; make: () => Node }): Entry {
    let entry = table.entries.get(name)
    if (entry === undefined) {
      // A key named __proto__ would change the prototype of the plain objects made of this.
      if (name === "__proto__") this.problems.push({ ...errors.unknownKey(name, []), place: key })
      entry = { key, node: make() }
      table.entries.set(name, entry)
    }
    return entry
  }

  value(content: AST.TOMLContentNode): Node {
    const at = this.place(content)
    if (content.type === "TOMLArray") {
      return { kind: "list", at, items: content.elements.map(e => this.value(e)), tables: false }
    }
    if (content.type === "TOMLInlineTable") {
      const table: TableNode = { kind: "table", at, entries: new Map() }
      for (const item of content.body) this.keyValue(table, item)
      return table
    }
    return { kind: "scalar", at, value: this.scalar(content, at), variable: false }
  }

  scalar(content: AST.TOMLValue, at: Place): Scalar {
    if (content.kind === "string" || content.kind === "boolean") return content.value
    if (content.kind === "integer" && Number.isSafeInteger(content.value)) return content.value
    if (content.kind === "float" && Number.isFinite(content.value)) return content.value
    if (content.kind !== "integer" && content.kind !== "float") return content.datetime
    this.problems.push({ ...errors.value(`the number ${content.number} is out of range`), place: at })
    return 0
  }

  place(node: { loc: AST.SourceLocation }): Place {
    return { file: this.file, line: node.loc.start.line, column: node.loc.start.column + 1 }
  }
}

function keyName(key: AST.TOMLBare | AST.TOMLQuoted): string {
  return key.type === "TOMLBare" ? key.name : key.value
}
