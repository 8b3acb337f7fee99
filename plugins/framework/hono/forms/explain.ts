import type { BaseIssue } from "valibot"
import { type MessageCode, say, sizeText } from "./messages.ts"

/** valibot's own words begin so; anything else was written by the author of the schema. */
const GENERIC = /^Invalid /

/** Code for what a check of valibot asks. */
const CODES: Readonly<Record<string, MessageCode>> = {
  min_length: "tooShort",
  max_length: "tooLong",
  min_graphemes: "tooShort",
  max_graphemes: "tooLong",
  email: "email",
  rfc_email: "email",
  url: "url",
  integer: "integer",
  safe_integer: "integer",
  number: "number",
  finite: "number",
  min_value: "tooSmall",
  gt_value: "tooSmall",
  max_value: "tooBig",
  lt_value: "tooBig",
  picklist: "choice",
  enum: "choice",
  union: "choice",
  iso_date: "date",
  date: "datetime",
  iso_date_time: "datetime",
  iso_timestamp: "datetime",
  iso_time: "time",
  slug: "slug",
  mime_type: "fileType",
  max_size: "fileTooLarge",
  non_empty: "required",
}

/** Code for a field of a model whose value has not the right form. */
const BY_KIND: Readonly<Record<string, MessageCode>> = { slug: "slug", url: "url", email: "email", date: "date", datetime: "datetime", number: "number", integer: "integer", json: "json" }

export function fixed(lang: string, code: MessageCode): string {
  return say(lang, code)
}

/** What to say of an issue of valibot: the author's words, else ours, in the reader's language. */
export function explain(issue: BaseIssue<unknown>, lang: string, kind?: string): string {
  const { type, requirement, input } = issue
  if (kind !== undefined && (type === "regex" || type === "url" || type === "email" || type === "check" || type === "raw_check")) {
    const code = BY_KIND[kind]
    if (code !== undefined) return say(lang, code)
  }
  if (kind === "decimal" && type === "raw_transform") return decimalWords(issue.message, lang)
  if (!GENERIC.test(issue.message)) return issue.message
  if (issue.kind === "schema" && (input === undefined || input === null || input === "")) return say(lang, "required")
  if (type === "literal") return say(lang, input === false ? "mustAccept" : "choice")
  if (Array.isArray(input) && (type === "min_length" || type === "non_empty")) return say(lang, "tooFew", { limit: type === "non_empty" ? 1 : Number(requirement) })
  if (Array.isArray(input) && type === "max_length") return say(lang, "tooMany", { limit: Number(requirement) })
  const code = CODES[type]
  if (code === undefined) return say(lang, "invalid")
  return say(lang, code, { limit: limitOf(requirement, type, lang) })
}

/** Of the messages in db/schemas.ts. */
function decimalWords(message: string, lang: string): string {
  const [, count, place] = /(\d+) digits (after|before)/.exec(message) ?? []
  if (place === "after") return say(lang, "decimal", { limit: count! })
  if (place === "before") return say(lang, "tooBig", { limit: "9".repeat(Number(count)) })
  return say(lang, message === "A whole number." ? "integer" : "number")
}

function limitOf(requirement: unknown, type: string, lang: string): string {
  if (type === "max_size" && typeof requirement === "number") return sizeText(requirement, lang)
  if (typeof requirement === "number") return new Intl.NumberFormat(lang, { maximumFractionDigits: 20 }).format(requirement)
  if (requirement instanceof Date) return new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" }).format(requirement)
  return Array.isArray(requirement) ? requirement.join(", ") : String(requirement ?? "")
}
