import type { BoundField } from "./bound-field.ts"

/** Ids of a field's help and error, for aria-describedby. */
export function describedBy(field: BoundField): string | undefined {
  const ids = [field.help === undefined ? "" : field.helpId, field.error === undefined ? "" : field.errorId].filter(id => id !== "")
  return ids.length === 0 ? undefined : ids.join(" ")
}
