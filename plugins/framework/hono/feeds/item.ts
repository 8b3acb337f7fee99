import { checkOptions, type Shape } from "edge"
import type { Field } from "../db/field.ts"
import type { AnyModel } from "../db/model.ts"
import { files } from "../files/storage.ts"
import { extension } from "../files/keys.ts"
import { typeOf } from "../files/sniff.ts"
import { markdownToHtml } from "../app/markdown.tsx"

export interface FeedPerson {
  readonly name: string
  readonly url?: string
  readonly email?: string
}

/** A file that comes with an item: a podcast's sound, a picture. */
export interface FeedEnclosure {
  readonly url: string
  readonly type: string
  /** In bytes; RSS wants it, 0 where it is not known. */
  readonly bytes?: number
  readonly seconds?: number
  readonly title?: string
}

/** One entry. URLs may be paths of the site. */
export interface FeedItem {
  readonly title: string
  readonly url: string
  /** When it was published. */
  readonly date: Date
  /** When it changed last; default `date`. */
  readonly updated?: Date
  /** An absolute URI that never changes, also when `url` does; default the URL. */
  readonly id?: string
  /** Plain text. */
  readonly summary?: string
  /** HTML; links in it may be paths of the site. */
  readonly html?: string
  readonly authors?: readonly FeedPerson[]
  readonly tags?: readonly string[]
  readonly image?: string
  readonly enclosures?: readonly FeedEnclosure[]
  readonly language?: string
}

const ITEM: Shape<FeedItem> = {
  title: "text", url: "text", date: "date", updated: "date", id: "text", summary: "text", html: "text", authors: "list", tags: "list", image: "text", enclosures: "list", language: "text",
}

/** What an app made of a row. */
export function checkItem(item: FeedItem): FeedItem {
  checkOptions("app.feed(): an item", item ?? null, ITEM)
  return item
}

type AnyRow = Readonly<Record<string, unknown>> & { readonly id: number }

const DATES = ["publishedAt", "date", "createdAt", "created", "postedAt", "sentAt"]
const UPDATES = ["updatedAt", "modifiedAt", "changedAt", "updated"]
const SUMMARIES = ["summary", "excerpt", "lead", "description", "teaser"]

/** A row of a model as an item: its title, its `url`, its dates, its Markdown, its picture. */
export function toItem(model: AnyModel, row: AnyRow): FeedItem {
  const url = model.options.url?.(row as never)
  if (url === undefined) throw new Error(`a feed of "${model.name}" needs to know where a row is seen: give the model \`url: row => ...\`, or the feed \`item: row => ...\``)
  const date = dateOf(row, DATES) ?? firstDate(model, row)
  if (date === undefined) throw new Error(`a feed of "${model.name}" needs a date: row ${row.id} has none; give the feed \`item: row => ...\``)
  const updated = dateOf(row, UPDATES)
  const text = valueOf(model, row, "markdown")
  const summary = SUMMARIES.map(key => row[key]).find(value => typeof value === "string" && value !== "") as string | undefined
  const image = valueOf(model, row, "image")
  return {
    title: model.titleOf(row as never),
    url,
    date,
    ...(updated !== undefined && { updated }),
    ...(summary !== undefined && { summary }),
    ...(text !== undefined && { html: markdownToHtml(text) }),
    ...(image !== undefined && { image: files().url(image) }),
  }
}

function dateOf(row: AnyRow, keys: readonly string[]): Date | undefined {
  return keys.map(key => row[key]).find(value => value instanceof Date) as Date | undefined
}

function firstDate(model: AnyModel, row: AnyRow): Date | undefined {
  const fields = Object.entries(model.fields) as [string, Field][]
  return fields.filter(([, field]) => field.kind === "datetime").map(([key]) => row[key]).find(value => value instanceof Date) as Date | undefined
}

/** What the first field of that kind has. */
function valueOf(model: AnyModel, row: AnyRow, kind: Field["kind"]): string | undefined {
  const key = Object.keys(model.fields).find(key => (model.fields[key] as Field).kind === kind)
  const value = key === undefined ? undefined : row[key]
  return typeof value === "string" && value !== "" ? value : undefined
}

/** An upload as an enclosure. */
export async function enclosureOf(key: string): Promise<FeedEnclosure> {
  const file = await files().open(key)
  return { url: files().url(key), type: typeOf(extension(key)), ...(file !== null && { bytes: file.size }) }
}
