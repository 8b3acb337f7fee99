/** CREATE TABLE of SQLite as text, taken apart as far as is needed to carry over what somebody wrote by hand. */

/** Letters, a quoted name or text, a comment, a bracket, or any other sign. */
const TOKEN = /\s+|--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[\d.]+(?:e[+-]?\d+)?|[\s\S]/gi

export interface ColumnText {
  readonly name: string
  readonly type: string
  readonly collate: string | undefined
  readonly default: string | undefined
}

export interface TableText {
  readonly columns: readonly ColumnText[]
  /** `CHECK (n >= 0)`, with its `CONSTRAINT name` where it has one. */
  readonly checks: readonly string[]
  /** Of columns and of the table. */
  readonly uniques: readonly string[]
  /** Names of columns that are computed. */
  readonly generated: readonly string[]
  /** After the last bracket: STRICT, WITHOUT ROWID. */
  readonly tail: string
}

export function readTable(sql: string): TableText {
  const tokens = (sql.match(TOKEN) ?? []).map(token => (/^(?:--|\/\*)/.test(token) ? " " : token))
  const from = tokens.indexOf("(")
  const to = closing(tokens, from)
  const columns: ColumnText[] = []
  const checks: string[] = []
  const uniques: string[] = []
  const generated: string[] = []
  for (const part of parts(tokens.slice(from + 1, to))) {
    const [first = ""] = part
    const ofTable = /^(?:CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN)$/i.test(first)
    const name = ofTable ? "" : plain(first)
    const found = { collate: undefined as string | undefined, default: undefined as string | undefined, type: "" }
    let label = ""
    for (let i = ofTable ? 0 : 1; i < part.length; i++) {
      const word = part[i]!.toUpperCase()
      const next = part[i + 1] ?? ""
      const inner = next.startsWith("(")
      if (word === "CONSTRAINT") {
        label = `CONSTRAINT ${next} `
        i++
        continue
      } else if (word === "CHECK" && inner) checks.push(`${label}CHECK ${next}`)
      else if (word === "UNIQUE") uniques.push(ofTable ? `${label}UNIQUE ${next}` : `${label}UNIQUE (\`${name}\`)`)
      else if (word === "COLLATE") found.collate = next
      else if (word === "DEFAULT") found.default = /^[+-]$/.test(next) ? `${next}${part[i + 2] ?? ""}` : next
      else if (word === "AS" && inner) generated.push(name)
      else if (!ofTable && i === 1 && /^[A-Z]/.test(word) && !CONSTRAINTS.test(word)) found.type = word
      else continue
      label = ""
    }
    if (!ofTable) columns.push({ name, ...found })
  }
  return { columns, checks, uniques, generated, tail: tokens.slice(to + 1).join("").replaceAll(/[;\s]+/g, " ").trim() }
}

const CONSTRAINTS = /^(?:CONSTRAINT|PRIMARY|NOT|NULL|UNIQUE|CHECK|DEFAULT|COLLATE|REFERENCES|GENERATED|AS)$/

/** `"a"`, [a] and a as they are meant. */
export function plain(name: string): string {
  return /^["`[]/.test(name) ? name.slice(1, -1).replaceAll('""', '"').replaceAll("``", "`") : name
}

/** Without regard to spaces, quotes of names and case: what two ways of writing the same have in common. */
export function normal(sql: string): string {
  return (sql.match(TOKEN) ?? []).filter(token => !/^(?:\s|--|\/\*)/.test(token)).map(token => (token.startsWith("'") ? token : plain(token).toLowerCase())).join(" ")
}

function closing(tokens: readonly string[], from: number): number {
  let depth = 0
  for (let i = from; i < tokens.length; i++) {
    if (tokens[i] === "(") depth++
    else if (tokens[i] === ")" && --depth === 0) return i
  }
  return tokens.length
}

/** Definitions between commas; each bracket with what is in it is one token, spaces are left out. */
function parts(tokens: readonly string[]): string[][] {
  const found: string[][] = [[]]
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token === "(") {
      const end = closing(tokens, i)
      found.at(-1)!.push(tokens.slice(i, end + 1).join(""))
      i = end
    } else if (token === ",") found.push([])
    else if (token.trim() !== "") found.at(-1)!.push(token)
  }
  return found
}
