import { oneOf } from "../db/compare.ts"
import { lookAtPicture } from "../files/picture.ts"
import { extensionOf } from "../files/sniff.ts"
import type { FormBody } from "./form-body.ts"
import { accepts, type FormField, type Rows } from "./field.ts"
import { type MessageCode, say, sizeText } from "./messages.ts"
import { fromLocal, gapAt, toLocal } from "./time.ts"
import type { Upload } from "./upload.ts"

/** Suffixes of names beside a field's own; keys of models have no underscore. */
export const CLEAR = "__clear"
export const FIND = "__find"

export interface Decoding {
  readonly body: FormBody
  /** Name of the field in the body. */
  readonly name: string
  readonly lang: string
  readonly timeZone: string
  /** file: the key that the row has now. */
  readonly current: string | null
  /** What the field started with. */
  readonly before?: unknown
  /** relations: the rows that may be chosen. */
  query(): Rows
}

export type Decoded = { readonly value: unknown } | { readonly error: string }

/** What was typed as a value, not yet checked by the schema. `undefined`: left empty, where a default may step in. */
export async function decode(field: FormField, how: Decoding): Promise<Decoded> {
  if (field.kind === "file" || field.kind === "files") return decodeFiles(field, how)
  if (field.kind === "boolean") {
    const on = how.body.last(how.name) !== undefined
    return !on && field.required ? bad(how, "mustAccept") : { value: on }
  }
  const typed = how.body.all(how.name).map(text => clean(text, field))
  if (field.kind === "choices" || field.kind === "relations") {
    const chosen = [...new Set(typed.filter(text => text !== ""))]
    if (chosen.length === 0) return field.required ? bad(how, "required") : { value: field.empty }
    return field.kind === "relations" ? decodeRelations(chosen, how) : decodeChoices(field, chosen, how)
  }
  const text = typed.at(-1) ?? ""
  if (text === "") return field.required ? bad(how, "required") : { value: field.empty }
  return decodeOne(field, text, how)
}

/** Browsers send lines ended by CR LF (https://html.spec.whatwg.org/ "constructing the entry list"). */
function clean(text: string, field: FormField): string {
  const lines = text.replaceAll(/\r\n?/g, "\n")
  const trimmed = field.settings.trim ?? (field.widget !== "password" && field.widget !== "textarea" && field.widget !== "markdown")
  return trimmed ? lines.trim() : lines
}

async function decodeOne(field: FormField, text: string, how: Decoding): Promise<Decoded> {
  switch (field.kind) {
    case "number":
      // A form of number("1e999") or "0x10" is not what a person means.
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?$/i.test(text) ? { value: Number(text) } : bad(how, "number")
    case "maybe":
      return text === "true" || text === "false" ? { value: text === "true" } : bad(how, "choice")
    case "datetime": {
      // Of the two hours that a clock shows twice it stays the one it was.
      if (how.before instanceof Date && toLocal(how.before, how.timeZone) === text) return { value: how.before }
      const date = fromLocal(text, how.timeZone)
      if (date === undefined) return bad(how, "datetime")
      const gap = gapAt(text, how.timeZone)
      return gap === undefined ? { value: date } : { error: say(how.lang, "clockGap", { limit: `${gap.from}–${gap.to}` }) }
    }
    case "choice":
      return field.choices.some(choice => choice.value === text) ? { value: text } : bad(how, "choice")
    case "json":
      try {
        return { value: JSON.parse(text) as unknown }
      } catch {
        return bad(how, "json")
      }
    case "relation": {
      const found = await decodeRelations([text], how)
      return "value" in found ? { value: (found.value as number[])[0] } : found
    }
    default:
      return { value: text }
  }
}

function decodeChoices(field: FormField, chosen: readonly string[], how: Decoding): Decoded {
  return chosen.every(text => field.choices.some(choice => choice.value === text)) ? { value: chosen } : bad(how, "choice")
}

/** Most relations that one field may set. */
const MAX_RELATIONS = 1000

/** Ids that the client sent, if the query of the field has them all: another visitor's row is refused (IDOR). */
async function decodeRelations(chosen: readonly string[], how: Decoding): Promise<Decoded> {
  if (chosen.length > MAX_RELATIONS) return { error: say(how.lang, "tooMany", { limit: MAX_RELATIONS }) }
  if (!chosen.every(text => /^[1-9]\d{0,14}$/.test(text))) return bad(how, "choice")
  const ids = chosen.map(Number)
  const found = await how.query().where({ id: oneOf(ids) }).pluck("id")
  return found.length === ids.length ? { value: ids } : bad(how, "choice")
}

async function decodeFiles(field: FormField, how: Decoding): Promise<Decoded> {
  const fault = how.body.faults.get(how.name)
  if (fault?.code === "fileTooLarge") return { error: say(how.lang, "fileTooLarge", { limit: sizeText(fault.limit, how.lang) }) }
  if (fault !== undefined) return { error: say(how.lang, fault.code, { limit: fault.limit }) }
  const uploads = how.body.uploads.get(how.name) ?? []
  for (const upload of uploads) {
    const error = await faultOf(upload, field, how.lang)
    if (error !== undefined) return { error }
  }
  if (field.kind === "files") return uploads.length === 0 && field.required ? bad(how, "required") : { value: uploads }
  const [upload] = uploads
  if (upload !== undefined) return { value: upload }
  if (how.current !== null && !(how.body.last(how.name + CLEAR) !== undefined && !field.required)) return { value: how.current }
  return field.required ? bad(how, "required") : { value: field.empty }
}

async function faultOf(upload: Upload, field: FormField, lang: string): Promise<string | undefined> {
  const { accept, image } = field.file!
  if (!accepts(accept, upload.type, extensionOf)) {
    return say(lang, "fileType", { limit: new Intl.ListFormat(lang, { type: "disjunction" }).format(accept.map(kindName)) })
  }
  if (!image) return undefined
  const looked = await lookAtPicture(upload.path)
  return typeof looked === "string" ? say(lang, looked) : undefined
}

/** "PDF" for application/pdf: people know the ends of names. */
function kindName(accept: string): string {
  if (accept.endsWith("/*")) return accept.slice(0, -2)
  const end = accept.startsWith(".") ? accept.slice(1) : extensionOf(accept)
  return end === "bin" ? accept : end.toUpperCase()
}

function bad(how: Decoding, code: MessageCode): Decoded {
  return { error: say(how.lang, code) }
}

/** A value as the texts that an input shows. */
export function encode(field: FormField, value: unknown, timeZone: string): readonly string[] {
  if (value === undefined || value === null || typeof value === "function") return []
  switch (field.kind) {
    case "boolean":
      return value === true ? ["on"] : []
    case "datetime":
      return value instanceof Date ? [toLocal(value, timeZone)] : [String(value)]
    case "json":
      return [JSON.stringify(value, null, 2)]
    case "relation":
    case "relations":
    case "choices":
      return [value].flat().map(one => String(typeof one === "object" && one !== null && "id" in one ? one.id : one))
    case "files":
      return []
    default:
      return [typeof value === "string" ? value : String(value as number)]
  }
}
