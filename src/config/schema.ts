/** Looking inside valibot schemas: what keys a table may have, what a value may be. */
import type { GenericSchema } from "valibot"
import type { Path } from "./path.ts"

/** The fields of valibot's schemas that are read here; which are there depends on `type`. */
interface Inside {
  readonly type: string
  readonly expects: string | null
  readonly entries?: Readonly<Record<string, GenericSchema>>
  readonly options?: readonly GenericSchema[] | readonly unknown[]
  readonly wrapped?: GenericSchema
  readonly item?: GenericSchema
  readonly items?: readonly GenericSchema[]
  readonly rest?: GenericSchema
  readonly key?: GenericSchema
  readonly value?: GenericSchema
  readonly default?: unknown
  readonly literal?: unknown
  readonly pipe?: readonly unknown[]
  readonly getter?: (input: unknown) => GenericSchema
}

export function inside(schema: GenericSchema): Inside {
  return schema as unknown as Inside
}

/** The alternatives of a schema, with optional(), nullable(), lazy() and unions taken apart. */
export function alternatives(schema: GenericSchema, input?: unknown): readonly GenericSchema[] {
  const s = inside(schema)
  if (s.wrapped !== undefined) return alternatives(s.wrapped, input)
  if (s.type === "lazy" && s.getter !== undefined) return alternatives(s.getter(input), input)
  if (s.type === "union" || s.type === "variant") {
    return (s.options as readonly GenericSchema[]).flatMap(option => alternatives(option, input))
  }
  return [schema]
}

export function isObjectSchema(schema: GenericSchema): boolean {
  const { type, entries } = inside(schema)
  return entries !== undefined || type === "record" || type === "intersect"
}

export function isListSchema(schema: GenericSchema): boolean {
  const { type } = inside(schema)
  return type === "array" || type === "tuple" || type === "strict_tuple" || type === "tuple_with_rest"
}

/** Keys that a table may have; [] when it takes any. */
export function keysOf(schema: GenericSchema): readonly string[] {
  const keys = new Set<string>()
  for (const one of alternatives(schema)) {
    const s = inside(one)
    for (const key of Object.keys(s.entries ?? {})) keys.add(key)
    if (s.type === "intersect") for (const part of s.options as readonly GenericSchema[]) keysOf(part).forEach(k => keys.add(k))
  }
  return [...keys]
}

/** The schemas that judge what stands at `path` below `schema`. */
export function schemasAt(schema: GenericSchema, path: Path): readonly GenericSchema[] {
  let now = [...alternatives(schema)]
  for (const part of path) now = now.flatMap(one => step(one, part)).flatMap(one => alternatives(one))
  return now
}

function step(schema: GenericSchema, part: string | number): readonly GenericSchema[] {
  const s = inside(schema)
  if (s.type === "intersect") return (s.options as readonly GenericSchema[]).flatMap(one => step(one, part))
  const child =
    typeof part === "number"
      ? (s.item ?? s.items?.[part] ?? s.rest)
      : (s.entries?.[part] ?? (s.type === "record" ? s.value : s.rest))
  return child === undefined || child === null ? [] : [child]
}

/** The unwrapped schema's own default, when it is a plain value. */
export function defaultOf(schema: GenericSchema): unknown {
  const s = inside(schema)
  const value = typeof s.default === "function" ? (s.default as () => unknown)() : s.default
  return value ?? (s.wrapped === undefined ? undefined : defaultOf(s.wrapped))
}

/** What is allowed, in words: `a number`, `"json", "combined" or "off"`. */
export function expectedBy(schemas: readonly GenericSchema[]): readonly string[] {
  return [...new Set(schemas.flatMap(schema => alternatives(schema)).flatMap(describe))]
}

function describe(schema: GenericSchema): readonly string[] {
  const s = inside(schema)
  const said = saidBy(s)
  if (said.length > 0) return said
  if (s.type === "picklist" || s.type === "enum") return (s.options as readonly unknown[]).map(o => JSON.stringify(o))
  if (s.type === "literal") return [JSON.stringify(s.literal)]
  if (isListSchema(schema)) return ["a list"]
  if (isObjectSchema(schema) || /object/.test(s.type)) return ["a table"]
  return WORDS[s.type] ?? [s.expects ?? s.type]
}

/** What a schema says of itself with `metadata({ expects })`; so may one inside its pipe. */
function saidBy({ pipe = [] }: Inside): readonly string[] {
  return pipe.flatMap(action => {
    const { type, metadata, pipe: inner } = action as { type?: string; metadata?: { expects?: string }; pipe?: readonly unknown[] }
    if (type === "metadata" && metadata?.expects !== undefined) return [metadata.expects]
    return inner === undefined ? [] : saidBy(action as Inside)
  })
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  string: ["text in quotes"],
  number: ["a number"],
  boolean: ["true", "false"],
  unknown: ["anything"],
  any: ["anything"],
  never: ["nothing"],
}

/** The words that a value may be exactly, for "did you mean". */
export function wordsOf(schemas: readonly GenericSchema[]): readonly string[] {
  return schemas.flatMap(schema => alternatives(schema)).flatMap(schema => {
    const s = inside(schema)
    if (s.type === "picklist") return (s.options as readonly unknown[]).filter(o => typeof o === "string")
    return s.type === "literal" && typeof s.literal === "string" ? [s.literal] : []
  })
}
