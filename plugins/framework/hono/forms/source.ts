import type { FormField } from "./field.ts"

/** What is wrong with a field's value, in the reader's language; key "" is the form as a whole. */
export interface Issue {
  readonly key: string
  readonly message: string
}

/** What a form is made from: its fields, and who checks their values together. */
export interface Source {
  readonly fields: readonly FormField[]
  /** `values` has a key for every field that could be decoded; undefined where it was left empty. */
  check(values: Record<string, unknown>, lang: string): Promise<{ values: unknown; issues: readonly Issue[] }> | { values: unknown; issues: readonly Issue[] }
}
