/** A value of the config against a valibot schema. */
import { type GenericSchema, type InferOutput, safeParse } from "valibot"
import type { Problem } from "../errors.ts"
import { explain, type Places } from "./explain.ts"
import { type Path, valueAt } from "./path.ts"

/** What `check` needs of a Config. */
export interface Checked extends Places {
  isVariable(path: Path): boolean
  alias(copy: unknown, original: unknown, path: Path): void
}

export interface CheckOptions {
  readonly config: Checked
  /** Where `value` stands in the config. */
  readonly path: Path
  readonly otherKeys?: readonly string[]
}

export type CheckResult<S extends GenericSchema> =
  | { readonly output: InferOutput<S>; readonly problems?: undefined }
  | { readonly output?: undefined; readonly problems: readonly Problem[] }

/** Checks `value` against `schema`; the output's tables keep their places. */
export function check<S extends GenericSchema>(schema: S, value: unknown, options: CheckOptions): CheckResult<S> {
  const { config, path } = options
  let result = safeParse(schema, value)
  // A string that is one variable may fill a number or boolean: try that where the string did not fit.
  if (!result.success && fillFromVariables(result.issues, value, options)) result = safeParse(schema, value)
  if (!result.success) {
    const { otherKeys } = options
    return { problems: explain(result.issues, { schema, places: config, path, ...(otherKeys && { otherKeys }) }) }
  }
  config.alias(result.output, value, path)
  return { output: result.output as InferOutput<S> }
}

interface IssueLike {
  readonly path?: readonly { readonly key: unknown }[] | undefined
}

/** Changes the tree itself: what `edge check --dump` shows is what is in force. */
function fillFromVariables(issues: readonly IssueLike[], value: unknown, options: CheckOptions): boolean {
  let filled = false
  for (const issue of issues) {
    const below = (issue.path ?? []).map(step => step.key as string | number)
    const last = below[below.length - 1]
    const parent = valueAt(value, below.slice(0, -1)) as Record<string | number, unknown> | undefined
    const text = valueAt(value, below)
    if (last === undefined || parent === undefined || typeof text !== "string") continue
    if (!options.config.isVariable([...options.path, ...below])) continue
    const converted = toScalar(text)
    if (converted === undefined) continue
    parent[last] = converted
    filled = true
  }
  return filled
}

function toScalar(text: string): number | boolean | undefined {
  if (text === "true") return true
  if (text === "false") return false
  return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
}
