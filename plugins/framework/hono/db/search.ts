import { contains } from "./compare.ts"
import { exactOf } from "./decimal.ts"
import type { Field } from "./field.ts"

/** Where a word is looked for in a field: in its text; in a number, whether it is that number. Undefined: nowhere. */
export function searchedIn(field: Field, word: string): unknown {
  switch (field.kind) {
    case "integer":
    case "number":
      return /^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(word) ? Number(word) : undefined
    case "decimal":
      return exactOf(word) === undefined ? undefined : word
    case "boolean":
    case "datetime":
    case "json":
    case "reference":
    case "many":
      return undefined
    default:
      return contains(word)
  }
}
