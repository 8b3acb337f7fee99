/** valibot's issues -> problems that say where, what was found, and what is allowed. */
import { type BaseIssue, type GenericSchema, safeParse } from "valibot"
import { errors, list, type Place, type Problem, type Said } from "../errors.ts"
import { formatPath, type Path } from "./path.ts"
import { alternatives, expectedBy, isListSchema, isObjectSchema, keysOf, schemasAt, wordsOf } from "./schema.ts"
import { didYouMean } from "./suggest.ts"

/** Finds the place of a path; Config is one. */
export interface Places {
  placeOf(path: Path, options?: { key?: boolean }): Place
}

export interface ExplainOptions {
  readonly schema: GenericSchema
  readonly places: Places
  /** Where the checked value stands. */
  readonly path: Path
  /** Keys that others own beside the schema's, to be named as allowed at the top of the value. */
  readonly otherKeys?: readonly string[]
}

type Issue = BaseIssue<unknown>

export function explain(issues: readonly Issue[], options: ExplainOptions): readonly Problem[] {
  const problems: Problem[] = []
  const seen = new Set<string>()
  for (const one of issues.flatMap(issue => explainOne(issue, options))) {
    const { file, line, column } = one.place ?? { file: "", line: 0, column: 0 }
    const id = `${file}:${line}:${column}:${one.message}`
    if (!seen.has(id)) problems.push(one)
    seen.add(id)
  }
  return problems
}

function explainOne(issue: Issue, options: ExplainOptions): readonly Problem[] {
  const steps = issue.path ?? []
  const below = steps.map(step => step.key as string | number)
  const last = steps[steps.length - 1]
  if (last?.origin === "key" && issue.expected === "never") {
    return unknownKeys(last.input as object, { ...options, below: below.slice(0, -1) })
  }
  const schemas = schemasAt(options.schema, below)
  if (last?.origin === "key" && issue.input === undefined) {
    return [problem(errors.missing(String(last.key), list(expectedBy(schemas))), below.slice(0, -1), options)]
  }
  if (issue.kind === "schema") return mismatch(issue, { ...options, below, schemas })
  if (isOwnMessage(issue)) return [problem(errors.value(`${issue.message}${found(issue)}`), below, options)]
  return [problem(errors.value(`${constraint(issue)}, found ${show(issue.input)}`), below, options)]
}

/** valibot stops at a table's first unknown key; here all of them are told. */
function unknownKeys(table: object, options: ExplainOptions & { below: Path }): readonly Problem[] {
  const { below, places, path } = options
  const keys = schemasAt(options.schema, below).filter(isObjectSchema).flatMap(schema => keysOf(schema))
  const allowed = below.length === 0 ? [...keys, ...(options.otherKeys ?? [])] : keys
  return Object.keys(table)
    .filter(key => !allowed.includes(key))
    .map(key => ({
      ...errors.unknownKey(key, allowed),
      place: places.placeOf([...path, ...below, key], { key: true }),
      at: formatPath([...path, ...below]),
    }))
}

/**
 * Nothing of a union fits, or the type is wrong. When the value is a table (or list) and so is an alternative, the
 * alternative that shares most keys with it says what is wrong inside; that helps more than "expected a table".
 */
function mismatch(issue: Issue, options: ExplainOptions & { below: Path; schemas: readonly GenericSchema[] }): readonly Problem[] {
  const { below, schemas } = options
  const { input } = issue
  const alike = schemas.flatMap(schema => alternatives(schema)).filter(schema => isAlike(schema, input))
  const best = alike.toSorted((a, b) => shared(b, input) - shared(a, input))[0]
  if (best !== undefined && issue.type !== "strict_object") {
    const inner = safeParse(best, input)
    if (inner.issues !== undefined) {
      return explain(inner.issues, { ...options, schema: best, path: [...options.path, ...below] })
    }
  }
  const near = typeof input === "string" ? didYouMean(input, wordsOf(schemas)) : ""
  if (isOwnMessage(issue)) return [problem(errors.value(`${issue.message}${found(issue)}${near}`), below, options)]
  const expected = schemas.length > 0 ? expectedBy(schemas) : [String(issue.expected)]
  return [problem(errors.value(`expected ${list(expected)}, found ${show(input)}${near}${howWritten(issue, { schemas, below })}`), below, options)]
}

/** `[site]` for `[[site]]` is the commonest slip in TOML. */
function howWritten({ input }: Issue, { schemas, below }: { schemas: readonly GenericSchema[]; below: Path }): string {
  const takesTables = schemas.some(schema => schemasAt(schema, [0]).some(isObjectSchema))
  const isTable = typeof input === "object" && input !== null && !Array.isArray(input)
  return takesTables && isTable ? `; it is written [[${below.filter(part => typeof part === "string").join(".")}]]` : ""
}

function isAlike(schema: GenericSchema, input: unknown): boolean {
  if (Array.isArray(input)) return isListSchema(schema)
  return typeof input === "object" && input !== null && isObjectSchema(schema)
}

function shared(schema: GenericSchema, input: unknown): number {
  const keys = keysOf(schema)
  return Object.keys(input as object).filter(key => keys.includes(key)).length
}

function problem(said: Said, below: Path, options: ExplainOptions): Problem {
  const path = [...options.path, ...below]
  return { ...said, place: options.places.placeOf(path), at: formatPath(path) }
}

/** valibot's default words begin so; others were written by the author of the schema. */
function isOwnMessage(issue: Issue): boolean {
  return !issue.message.startsWith("Invalid ")
}

/** Custom messages end with what was found, unless they say it already. */
function found(issue: Issue): string {
  return issue.message.includes("found") ? "" : `, found ${show(issue.input)}`
}

function constraint(issue: Issue): string {
  const bound = show(issue.requirement)
  switch (issue.type) {
    case "min_value":
      return `expected at least ${bound}`
    case "max_value":
      return `expected at most ${bound}`
    case "integer":
    case "safe_integer":
      return "expected a whole number"
    case "non_empty":
      return "expected something that is not empty"
    case "min_length":
      return `expected at least ${bound} of them`
    case "max_length":
      return `expected at most ${bound} of them`
    case "regex":
      return `expected text like ${String(issue.requirement)}`
    case "url":
      return "expected a URL"
    default:
      return issue.expected === null ? `this is not a valid ${issue.type}` : `expected ${issue.expected}`
  }
}

/** At most so many letters of a found value are shown. */
const SHOWN_MAX = 60

/** A found value in words. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list"
  if (value === undefined) return "nothing"
  if (typeof value === "object" && value !== null) return value instanceof RegExp ? String(value) : "a table"
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}..."` : text
}
