/** Changes of single parameters; the others stay as the client spelled them. */
export function toQueryChange(
  changes: { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] } | undefined,
): ((query: string) => string) | null {
  if (changes === undefined) return null
  const set = Object.entries(changes.set)
  const gone = new Set([...changes.remove, ...set.map(([name]) => name)])
  if (gone.size === 0) return null
  const added = set.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  return query => {
    const kept = query === "" ? [] : query.split("&").filter(pair => !gone.has(nameOf(pair)))
    return [...kept, ...added].join("&")
  }
}

function nameOf(pair: string): string {
  const equals = pair.indexOf("=")
  const name = (equals < 0 ? pair : pair.slice(0, equals)).replaceAll("+", " ")
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
