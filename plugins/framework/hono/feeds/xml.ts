/** Element of Bun.XML's compact shape, where undefined and empty lists are left out. */
export type XmlNode = Readonly<Record<string, unknown>>

/** A whole document. Texts must be clean (clean.ts): a character that XML cannot have is an error. */
export function document(root: string, node: XmlNode): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${Bun.XML.stringify({ [root]: pruned(node) } as Bun.XML.Document)}\n`
}

function pruned(node: XmlNode): Bun.XML.Element {
  const made: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (value === undefined) continue
    made[key] = Array.isArray(value) ? value.map(inner) : inner(value)
  }
  return made as Bun.XML.Element
}

function inner(value: unknown): unknown {
  return typeof value === "object" && value !== null ? pruned(value as XmlNode) : value
}
