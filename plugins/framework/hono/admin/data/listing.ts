import { contains } from "../../db/compare.ts"
import type { Page } from "../../db/page.ts"
import type { Query } from "../../db/query.ts"
import type { Access } from "../model/access.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { type Condition, condition, drill, toId } from "./filters.ts"
import { dayRange } from "./datetimes.ts"
import type { Level } from "../model/settings.ts"

/** What a list shows: the whole of its URL's query, cleaned. */
export interface ListState {
  readonly q: string
  /** Keys of the row, "-" for descending; empty: the model's own order. */
  readonly sort: readonly string[]
  readonly filters: ReadonlyMap<string, readonly string[]>
  /** Part of the drill-down: "2026", "2026-11", "2026-11-23". */
  readonly date: string | undefined
  readonly after: string | undefined
  readonly before: string | undefined
  /** The search looks into every text, although there is a row that is called exactly so. */
  readonly everywhere: boolean
}

const MOST_SORT_KEYS = 3
/** Values of one filter. */
const MOST_VALUES = 50

/**
 * Reads a list's state. What the person may not see, fields or related rows, does not filter or sort either: it could be
 * found by trying.
 */
export async function readState(access: Access, modelAdmin: ModelAdmin, o: { params: URLSearchParams; zone: string }): Promise<ListState> {
  const { params, zone } = o
  const levels = await access.levels(modelAdmin)
  const sees = (key: string) => levels.get(key) !== "none"
  const filters = new Map<string, string[]>()
  for (const key of modelAdmin.keys) {
    if (!modelAdmin.filters.includes(key) || !sees(key)) continue
    const values = [...new Set(params.getAll(`f.${key}`))].slice(0, MOST_VALUES).filter(value => value !== "" && condition(modelAdmin, key, { values: [value], zone }) !== undefined)
    const { kind } = modelAdmin.field(key)
    const links = kind === "reference" || kind === "many" ? await access.relatedRows(modelAdmin.targetOf(key), values.map(Number)) : undefined
    const known = values.filter(value => links === undefined || toId(value) === undefined || links.has(Number(value)))
    if (known.length > 0) filters.set(key, known)
  }
  const date = params.get("date") ?? undefined
  return {
    q: (params.get("q") ?? "").replaceAll("\0", "").trim().slice(0, 200),
    sort: readSort(modelAdmin, params.get("sort") ?? "", levels),
    filters,
    date: modelAdmin.dates !== undefined && sees(modelAdmin.dates) && date !== undefined && dayRange(date) !== undefined ? date : undefined,
    after: params.get("after") ?? undefined,
    before: params.get("before") ?? undefined,
    everywhere: params.get("everywhere") === "1",
  }
}

function readSort(modelAdmin: ModelAdmin, text: string, levels: ReadonlyMap<string, Level>): string[] {
  const allowed = sortKeys(modelAdmin, levels)
  const found = text.split(",").filter(key => allowed.has(key.replace(/^-/, "")))
  const names = new Set<string>()
  return found.filter(key => !names.has(key.replace(/^-/, "")) && names.add(key.replace(/^-/, ""))).slice(0, MOST_SORT_KEYS)
}

/** Keys of the row that this person may sort by: those of columns that are shown. */
export function sortKeys(modelAdmin: ModelAdmin, levels: ReadonlyMap<string, Level>): ReadonlySet<string> {
  const shown = modelAdmin.columns.filter(column => column.field === undefined || levels.get(column.key) !== "none")
  return new Set([...shown.flatMap(column => column.sort ?? []), "id"])
}

/** The state as a query string, with changes; a change other than of page begins at the first page. */
export function stateQuery(state: ListState, change: Partial<ListState> = {}): string {
  const { q, sort, filters, date, after, before, everywhere } = { ...state, after: undefined, before: undefined, ...change }
  const params = new URLSearchParams()
  if (q !== "") params.set("q", q)
  if (q !== "" && everywhere) params.set("everywhere", "1")
  if (sort.length > 0) params.set("sort", sort.join(","))
  for (const [key, values] of filters) for (const value of values) params.append(`f.${key}`, value)
  if (date !== undefined) params.set("date", date)
  if (after !== undefined) params.set("after", after)
  else if (before !== undefined) params.set("before", before)
  const text = params.toString()
  return text === "" ? "" : `?${text}`
}

/** The filters with one changed. */
export function withFilter(state: ListState, key: string, values: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const filters = new Map(state.filters)
  if (values.length === 0) filters.delete(key)
  else filters.set(key, values)
  return filters
}

export function isNarrowed(state: ListState): boolean {
  return state.q !== "" || state.filters.size > 0 || state.date !== undefined
}

interface ListAsk {
  readonly state: ListState
  readonly zone: string
}

/** Rows above which a search in texts takes longer than people like to wait (SQLite: 0.3 s for a million). */
export const LARGE = 100_000

/**
 * The rows that a state asks for, as far as they exist for this person, in order. In a large table what is typed is
 * first taken as the whole of an id, slug or e-mail address, which an index answers at once; `exact` says that it was one.
 */
export async function listQuery(access: Access, modelAdmin: ModelAdmin, ask: ListAsk): Promise<{ query: Query<any>; exact: boolean; size: number }> {
  const { state } = ask
  const levels = await access.levels(modelAdmin)
  const size = (await modelAdmin.model.all.estimate()) ?? Number.POSITIVE_INFINITY
  const narrowed = narrow(access, modelAdmin, { ...ask, levels })
  if (state.q !== "" && !state.everywhere && size > LARGE) {
    const called = calledExactly(modelAdmin, state.q, levels)
    const query = called === undefined ? undefined : narrowed.where(called)
    if (query !== undefined && (await query.exists())) return { query, exact: true, size }
  }
  let query = narrowed
  for (const word of state.q.split(/\s+/).filter(Boolean).slice(0, 8)) query = query.where(searchFor(modelAdmin, word, { levels, whole: state.q }))
  return { query, exact: false, size }
}

function narrow(access: Access, modelAdmin: ModelAdmin, { state, zone, levels }: ListAsk & { levels: ReadonlyMap<string, Level> }): Query<any> {
  let query = access.rows(modelAdmin.model)
  for (const [key, values] of state.filters) {
    const where = condition(modelAdmin, key, { values, zone })
    if (where !== undefined) query = query.where(where)
  }
  const date = state.date === undefined || modelAdmin.dates === undefined ? undefined : drill(modelAdmin, modelAdmin.dates, { part: state.date, zone })
  if (date !== undefined) query = query.where(date)
  return query.order(...(orderOf(modelAdmin, state, levels) as never[]))
}

/** A list is not sorted by what may not be seen: its order, and the places in its links, would tell. */
export function orderOf(modelAdmin: ModelAdmin, state: ListState, levels: ReadonlyMap<string, Level>): readonly string[] {
  if (state.sort.length > 0) return state.sort
  const hidden = new Set(modelAdmin.keys.filter(key => levels.get(key) === "none").map(key => modelAdmin.rowKey(key)))
  const order = modelAdmin.order.filter(key => !hidden.has(key.replace(/^-/, "")))
  return order.length > 0 ? order : ["-id"]
}

function calledExactly(modelAdmin: ModelAdmin, text: string, levels: ReadonlyMap<string, Level>): Condition | undefined {
  const id = toId(text)
  const any: Condition[] = id === undefined ? [] : [{ id }]
  for (const { key } of modelAdmin.search) {
    const { kind, options } = modelAdmin.field(key)
    if (levels.get(key) !== "none" && options.unique === true && (kind !== "uuid" || UUID.test(text)) && kind !== "date") any.push({ [key]: text })
  }
  return any.length === 0 ? undefined : { or: any }
}

/** Rows in which a word is in any of the search fields that the person may see; a number is also tried as the id. */
function searchFor(modelAdmin: ModelAdmin, word: string, o: { levels: ReadonlyMap<string, Level>; whole: string }): Condition {
  const fields = modelAdmin.search.filter(({ key }) => o.levels.get(key) !== "none")
  const any: Condition[] = fields.flatMap(({ key, exact }): Condition[] => {
    const { kind } = modelAdmin.field(key)
    if (!exact && kind !== "uuid" && kind !== "date") return [{ [key]: contains(word) }]
    // The databases take only well-formed ones.
    if (kind === "uuid" && !UUID.test(word)) return []
    if (kind === "date" && (word.length !== 10 || dayRange(word) === undefined)) return []
    return [{ [key]: exact && kind === "text" ? o.whole : word }]
  })
  const id = toId(word)
  if (id !== undefined) any.push({ id })
  return any.length === 0 ? { id: -1 } : { or: any }
}
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** How many rows, bounded: "about" where the database estimates, "more" where counting stopped. */
export interface Total {
  readonly count: number
  readonly kind: "exact" | "about" | "more"
}

/** Rows up to which a total is counted out; reading 10,001 entries of an index takes about a millisecond. */
export const COUNT_UP_TO = 10_000

/** The total of a table. Without a condition the database's own estimate does; with one, counting stops at 10,000. */
export async function total(query: Query<any>, whole: boolean): Promise<Total> {
  const counted = await query.countUpTo(COUNT_UP_TO + 1)
  if (counted <= COUNT_UP_TO) return { count: counted, kind: "exact" }
  const estimated = whole ? await query.model.all.estimate() : undefined
  return estimated === undefined || estimated <= COUNT_UP_TO ? { count: COUNT_UP_TO, kind: "more" } : { count: estimated, kind: "about" }
}

/**
 * The total of a list of which a page is known. A search in the texts of a large table is not run to its end to count,
 * and where rows are decided one by one only those that are shown are told.
 */
export async function listTotal(query: Query<any>, o: { state: ListState; page: Page<unknown>; size: number; whole: boolean; byRow: boolean }): Promise<Total> {
  const { state, page, size, byRow } = o
  if (page.next === undefined && page.previous === undefined) return { count: page.rows.length, kind: "exact" }
  if (byRow || (state.q !== "" && size > LARGE)) return { count: page.rows.length, kind: "more" }
  const counted = await query.countUpTo(COUNT_UP_TO + 1)
  if (counted <= COUNT_UP_TO) return { count: counted, kind: "exact" }
  return o.whole && Number.isFinite(size) && size > COUNT_UP_TO ? { count: size, kind: "about" } : { count: COUNT_UP_TO, kind: "more" }
}

export function showTotal({ count, kind }: Total): string {
  const rounded = kind === "about" ? Number(count.toPrecision(2)) : count
  const text = rounded.toLocaleString("en-GB")
  return kind === "exact" ? text : kind === "about" ? `about ${text}` : `${text}+`
}
