/** Where a value stands in the config: `["site", 0, "use", 1]`, written `site[0].use[1]`. */
export type Path = readonly (string | number)[]

const BARE = /^[A-Za-z0-9_-]+$/

export function formatPath(path: Path): string {
  let text = ""
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`
    else text += `${text === "" ? "" : "."}${BARE.test(part) ? part : JSON.stringify(part)}`
  }
  return text
}

/** The value there, or undefined. */
export function valueAt(tree: unknown, path: Path): unknown {
  let value = tree
  for (const part of path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string | number, unknown>)[part]
  }
  return value
}
