import * as v from "valibot"
import { explain } from "./explain.ts"
import { type FieldSettings, type FormField, makeField, MAX_FILE_BYTES, PICTURES, type Widget } from "./field.ts"
import type { Issue, Source } from "./source.ts"
import { words } from "../db/naming.ts"

type AnySchema = v.GenericSchema | v.GenericSchemaAsync
/** What is looked at of a schema or of an action in a pipe. */
interface Node {
  readonly kind: "schema" | "validation" | "transformation" | "metadata"
  readonly type: string
  readonly pipe?: readonly Node[]
  readonly wrapped?: Node
  readonly entries?: Readonly<Record<string, Node>>
  readonly item?: Node
  readonly options?: readonly unknown[]
  readonly literal?: unknown
  readonly requirement?: unknown
  readonly class?: unknown
  readonly title?: string
  readonly description?: string
}

/** The fields of a valibot object schema; its checks over several fields stay (`v.forward` says at which to show). */
export function fromSchema(schema: AnySchema, settings: Readonly<Record<string, FieldSettings | undefined>> = {}): Source {
  const object = flat(schema as unknown as Node).find(node => node.entries !== undefined)
  if (object?.entries === undefined) throw new Error("a form is made from a model, or from v.object({ ... })")
  const { entries } = object
  for (const key of Object.keys(settings)) if (!(key in entries)) throw new Error(`the form has no field "${key}"; there are ${Object.keys(entries).join(", ")}`)
  return {
    fields: Object.entries(entries).map(([key, entry]) => toFormField(key, entry, settings[key])),
    check: async (values, lang) => {
      const result = await v.safeParseAsync(schema, values, { lang })
      if (result.success) return { values: result.output, issues: [] }
      const issues: Issue[] = []
      for (const issue of result.issues) {
        const first = issue.path?.[0]?.key
        const key = typeof first === "string" && first in entries ? first : ""
        if (!issues.some(known => known.key === key)) issues.push({ key, message: explain(issue as v.BaseIssue<unknown>, lang) })
      }
      return { values: undefined, issues }
    },
  }
}

/** A schema and the actions of its pipe, pipes within pipes too. */
function flat(node: Node): Node[] {
  return node.pipe === undefined ? [node] : node.pipe.flatMap((part, i) => (i === 0 && part.pipe === undefined ? [part] : flat(part)))
}

const WRAPPERS: Readonly<Record<string, unknown>> = { optional: undefined, exact_optional: undefined, undefinedable: undefined, nullish: null, nullable: null }

/** Takes optional(), nullable() and the like off; `empty` is what they let be left empty as. */
function unwrap(node: Node): { parts: Node[]; optional: boolean; empty: unknown; notes: Node[] } {
  const parts = flat(node)
  const [schema] = parts as [Node]
  if (schema.wrapped === undefined) return { parts, optional: false, empty: undefined, notes: parts }
  const inner = unwrap(schema.wrapped)
  const optional = schema.type in WRAPPERS
  return { parts: inner.parts, optional: optional || inner.optional, empty: optional ? WRAPPERS[schema.type] : inner.empty, notes: [...parts, ...inner.notes] }
}

function toFormField(key: string, entry: Node, settings: FieldSettings | undefined): FormField {
  const { parts, optional, empty, notes } = unwrap(entry)
  const [schema] = parts as [Node]
  const asked = (type: string): Node | undefined => parts.find(part => part.type === type)
  const title = notes.find(part => part.type === "title")?.title
  const description = notes.find(part => part.type === "description")?.description
  const base = { key, required: !optional, empty, label: title ?? words(key), ...(description !== undefined && { help: description }) }
  const range = { ...numeric("min", asked("min_value")), ...numeric("max", asked("max_value")) }
  switch (schema.type) {
    case "string": {
      const minLength = asked("min_length")?.requirement
      const maxLength = asked("max_length")?.requirement
      const limits = { ...(typeof minLength === "number" && { minLength }), ...(typeof maxLength === "number" && { maxLength }), ...range }
      return makeField({ ...base, kind: "text", widget: textWidget(key, parts), limits }, settings)
    }
    case "number":
    case "bigint": {
      const whole = asked("integer") !== undefined || asked("safe_integer") !== undefined
      return makeField({ ...base, kind: "number", widget: "number", limits: { ...range, step: whole ? 1 : "any" } }, settings)
    }
    case "boolean":
      return optional && empty === null
        ? makeField({ ...base, kind: "maybe", widget: "select" }, settings)
        : makeField({ ...base, kind: "boolean", widget: "checkbox", required: false, empty: false }, settings)
    case "literal":
      if (schema.literal === true) return makeField({ ...base, kind: "boolean", widget: "checkbox", empty: false }, settings)
      return makeField({ ...base, kind: "choice", widget: "radio", choices: [[String(schema.literal), words(String(schema.literal))]] }, settings)
    case "date":
      return makeField({ ...base, kind: "datetime", widget: "datetime" }, settings)
    case "picklist":
    case "enum":
    case "union": {
      const values = choicesOf(schema, key)
      return makeField({ ...base, kind: "choice", widget: "select", choices: values }, settings)
    }
    case "array":
    case "set": {
      const item = unwrap(schema.item ?? (schema as { value?: Node }).value!).parts[0]!
      if (isFile(item)) return makeField({ ...base, kind: "files", widget: "file", required: false, empty: [], file: fileOf(parts, unwrap(schema.item!).parts, 20) }, settings)
      return makeField({ ...base, kind: "choices", widget: "checkboxes", required: false, empty: [], choices: settings?.choices ?? choicesOf(item, key) }, settings)
    }
    default:
      if (isFile(schema)) {
        const file = fileOf(parts, parts, 1)
        return makeField({ ...base, kind: "file", widget: file.image ? "image" : "file", file }, settings)
      }
      if (settings?.widget !== undefined) return makeField({ ...base, kind: "json", widget: settings.widget }, settings)
      throw new Error(`form field "${key}": there is no input for ${schema.type}; use string, number, boolean, date, picklist, array of picklist or file`)
  }
}

function numeric(name: "min" | "max", node: Node | undefined): Record<string, number | string> {
  const { requirement } = node ?? {}
  if (requirement instanceof Date) return { [name]: requirement.toISOString().slice(0, 16) }
  return typeof requirement === "number" || typeof requirement === "string" ? { [name]: requirement } : {}
}

function textWidget(key: string, parts: readonly Node[]): Widget {
  const has = (...types: string[]) => parts.some(part => types.includes(part.type))
  if (has("email", "rfc_email")) return "email"
  if (has("url")) return "url"
  if (has("iso_date")) return "date"
  if (has("iso_date_time", "iso_timestamp")) return "datetime"
  if (has("iso_time")) return "time"
  if (has("hex_color")) return "color"
  if (/password/i.test(key)) return "password"
  const longest = parts.find(part => part.type === "max_length")?.requirement
  return typeof longest === "number" && longest > 300 ? "textarea" : "text"
}

function choicesOf(schema: Node, key: string): (readonly [string, string])[] {
  const options = (schema.options ?? (schema as { enum?: object }).enum ?? []) as readonly unknown[]
  const values = schema.type === "union" ? (options as Node[]).map(option => (option.type === "literal" ? option.literal : undefined)) : Object.values(options)
  if (values.length === 0 || values.some(value => typeof value !== "string")) {
    throw new Error(`form field "${key}": choices are texts, as in v.picklist(["a", "b"])`)
  }
  return (values as string[]).map(value => [value, words(value)])
}

function isFile(node: Node): boolean {
  return node.type === "file" || node.type === "blob" || (node.type === "instance" && (node.class === File || node.class === Blob))
}

function fileOf(list: readonly Node[], file: readonly Node[], most: number): NonNullable<FormField["file"]> {
  const types = file.find(part => part.type === "mime_type")?.requirement
  const bytes = file.find(part => part.type === "max_size")?.requirement
  const count = most === 1 ? undefined : list.find(part => part.type === "max_length")?.requirement
  const accept = Array.isArray(types) ? (types as string[]) : []
  const image = accept.length > 0 && accept.every(type => (PICTURES as readonly string[]).includes(type))
  return { accept, maxBytes: typeof bytes === "number" ? bytes : MAX_FILE_BYTES, maxFiles: typeof count === "number" ? count : most, image, keyed: false }
}
