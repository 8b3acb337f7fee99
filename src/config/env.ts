/** `${NAME}` and `${NAME:-default}` inside the strings of a config; `$${` is a literal `${`. */
import { errors, type Problem } from "../errors.ts"
import type { Node } from "./toml.ts"

export type Env = Readonly<Record<string, string | undefined>>

const VARIABLE = /\$\$\{|\$\{([^}]*)\}?/g
const WELL_FORMED = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/

/** Replaces in place; what cannot be replaced is added to `problems`. */
export function fillVariables(node: Node, options: { env: Env; problems: Problem[] }): void {
  if (node.kind === "table") for (const entry of node.entries.values()) fillVariables(entry.node, options)
  else if (node.kind === "list") for (const item of node.items) fillVariables(item, options)
  else if (typeof node.value === "string" && node.value.includes("${")) {
    const text = node.value
    node.value = text.replace(VARIABLE, (match, inner: string | undefined) => {
      if (inner === undefined) return "${"
      const parts = match.endsWith("}") ? WELL_FORMED.exec(inner) : null
      if (parts === null) {
        options.problems.push({ ...errors.badVariable(match), place: node.at })
        return ""
      }
      const [, name = "", fallback] = parts
      const value = options.env[name]
      // As in a shell, ":-" also replaces a variable that is set but empty.
      if (fallback !== undefined) return value === undefined || value === "" ? fallback : value
      if (value === undefined) options.problems.push({ ...errors.unset(name), place: node.at })
      return value ?? ""
    })
    node.variable = isOneVariable(text)
  }
}

/** Exactly one variable and nothing else: such a string may fill a number or boolean. */
function isOneVariable(text: string): boolean {
  return /^\$\{[^}]*\}$/.test(text)
}
