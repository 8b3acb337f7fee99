import type { Awaitable } from "edge"
import type { Field } from "../db/field.ts"
import type { AnyModel } from "../db/model.ts"
import { files } from "../files/storage.ts"
import type { SitemapUrl } from "./url.ts"

export type Page = string | SitemapUrl

/** Where the pages of a section come from: a query of a model with a `url`, a list, or what gives one after the other. */
export type Pages<T = any> = AnyQuery | readonly T[] | (() => AsyncIterable<T> | Iterable<T> | PromiseLike<readonly T[]>)

/** Any query: how it can be narrowed differs by model. */
interface AnyQuery {
  readonly model: AnyModel
  readonly limited: boolean
  order(...keys: any[]): AnyQuery
  each(size?: number): AsyncGenerator<unknown>
}

export type Section = Pages<Page> | { readonly items: Pages; readonly page: (item: any) => Awaitable<Page | undefined> }

/** The pages of a section, one at a time: a million rows take the memory of 500. */
export async function* pagesOf(section: Section): AsyncGenerator<SitemapUrl> {
  const own = "items" in section
  const items = own ? section.items : section
  const model = isQuery(items) ? items.model : undefined
  for await (const item of each(items)) {
    const page = own ? await section.page(item) : model === undefined ? (item as Page) : fromRow(model, item as Row)
    if (page !== undefined) yield typeof page === "string" ? { url: page } : page
  }
}

async function* each(items: Pages): AsyncGenerator<unknown> {
  // By id: the order of a sitemap means nothing, and this one needs no sorting. Of a limited query it says which rows.
  if (isQuery(items)) yield* items.limited ? items.each() : items.order("id").each()
  else yield* typeof items === "function" ? await items() : items
}

function isQuery(items: Pages): items is AnyQuery {
  return typeof items === "object" && "model" in items && "each" in items
}

type Row = Readonly<Record<string, unknown>> & { readonly id: number }

const DATES = ["updatedAt", "modifiedAt", "changedAt", "publishedAt", "createdAt"]

function fromRow(model: AnyModel, row: Row): SitemapUrl {
  const url = model.options.url?.(row as never)
  if (url === undefined) throw new Error(`a sitemap of "${model.name}" needs to know where a row is seen: give the model \`url: row => ...\`, or the section { items, page: row => ... }`)
  const lastModified = DATES.map(key => row[key]).find(value => value instanceof Date) as Date | undefined
  const images = Object.entries(model.fields).flatMap(([key, field]) => {
    const value = (field as Field).kind === "image" ? row[key] : undefined
    return typeof value === "string" && value !== "" ? [files().url(value)] : []
  })
  return { url, ...(lastModified !== undefined && { lastModified }), ...(images.length > 0 && { images }) }
}
