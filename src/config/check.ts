/** A value of the config against a valibot schema. */
import { type GenericSchema, type InferOutput, safeParse } from "valibot"
import { errors, type Problem } from "../errors.ts"
import { explain, type Places } from "./explain.ts"
import { formatPath, type Path } from "./path.ts"
import { isObjectSchema, schemasAt } from "./schema.ts"

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
  fillFromVariables(schema, value, options)
  const result = safeParse(schema, value)
  const lists = misplacedLists(schema, value, options)
  if (!result.success || lists.length > 0) {
    const { otherKeys } = options
    const issues = (result.issues ?? []).filter(issue => !lists.some(list => isBelow(issue, list.below)))
    const explained = explain(issues, { schema, places: config, path, ...(otherKeys && { otherKeys }) })
    return { problems: [...lists.map(list => list.problem), ...explained] }
  }
  config.alias(result.output, value, path)
  return { output: result.output as InferOutput<S> }
}

interface Misplaced {
  readonly below: Path
  readonly problem: Problem
}

/** To valibot a list is an object too: `[[server]]` would pass for a table with the key 0, `server = []` for an empty one. */
function misplacedLists(schema: GenericSchema, value: unknown, options: CheckOptions): readonly Misplaced[] {
  const found: Misplaced[] = []
  const look = (one: unknown, below: Path): void => {
    if (typeof one !== "object" || one === null) return
    const schemas = Array.isArray(one) ? schemasAt(schema, below) : []
    if (schemas.length > 0 && schemas.every(isObjectSchema)) {
      const at = [...options.path, ...below]
      const problem = { ...errors.listForTable(formatPath(at)), place: options.config.placeOf(at), at: formatPath(at) }
      found.push({ below, problem })
      return
    }
    for (const [key, child] of Object.entries(one)) look(child, [...below, Array.isArray(one) ? Number(key) : key])
  }
  look(value, [])
  return found
}

function isBelow(issue: IssueLike, path: Path): boolean {
  const keys = (issue.path ?? []).map(step => String(step.key))
  return path.every((part, i) => keys[i] === String(part))
}

interface IssueLike {
  readonly path?: readonly { readonly key: unknown }[] | undefined
}

/**
 * A string that is one variable may fill a number or boolean: where it does not fit as text and does as the other, the
 * tree itself is changed, so that `edge check --dump` shows what is in force.
 */
function fillFromVariables(schema: GenericSchema, value: unknown, { config, path }: CheckOptions): void {
  const look = (one: unknown, below: Path): void => {
    if (typeof one !== "object" || one === null) return
    for (const [key, child] of Object.entries(one)) {
      const at = [...below, Array.isArray(one) ? Number(key) : key]
      if (typeof child !== "string") look(child, at)
      else if (config.isVariable([...path, ...at])) {
        const schemas = schemasAt(schema, at)
        const other = toScalar(child)
        const fits = (what: unknown): boolean => schemas.some(alternative => safeParse(alternative, what).success)
        if (other !== undefined && !fits(child) && fits(other)) (one as Record<string, unknown>)[key] = other
      }
    }
  }
  look(value, [])
}

function toScalar(text: string): number | boolean | undefined {
  if (text === "true") return true
  if (text === "false") return false
  return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
}
