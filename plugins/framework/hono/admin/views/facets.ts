import { ne } from "../../db/compare.ts"
import type { Query } from "../../db/query.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { condition, drill as drillTo, EMPTY, FILLED, RANGES } from "../data/filters.ts"
import { type ListState, stateQuery, withFilter } from "../data/listing.ts"
import { dayRange, showRange } from "../data/datetimes.ts"
import type { Level } from "../model/settings.ts"
import type { AnyRow } from "../model/staff.ts"
import type { AdminRequest } from "./request.tsx"

export interface FacetOption {
  readonly value: string
  readonly label: string
  readonly active: boolean
  /** Query string of the list with this option switched. */
  readonly href: string
  /** "12" or "1,000+"; undefined where counting would cost too much. */
  readonly count: string | undefined
}
export interface Facet {
  readonly key: string
  readonly label: string
  readonly options: readonly FacetOption[]
  /** Too many to be listed: chosen by typing (relations), or as a range (numbers). */
  readonly typed: "relation" | "range" | undefined
  /** What is chosen, in words. */
  readonly chosen: readonly string[]
  /** The list without this filter. */
  readonly clear: string
}

/** Options of a relation that are listed; above it they are searched for. */
const MOST_OPTIONS = 30
/** An option's rows are counted up to this. */
const COUNT_UP_TO = 1000
/** Tables above this are not counted by fields without an index. */
const SMALL = 20_000

/** The filters of a list with their options. `size` is about how many rows the table has. */
export async function facetsOf(request: AdminRequest, modelAdmin: ModelAdmin, o: { state: ListState; levels: ReadonlyMap<string, Level>; size: number }): Promise<Facet[]> {
  const keys = modelAdmin.filters.filter(key => o.levels.get(key) !== "none")
  return Promise.all(keys.map(key => facetOf(request, modelAdmin, { ...o, key })))
}

async function facetOf(request: AdminRequest, modelAdmin: ModelAdmin, o: { key: string; state: ListState; size: number }): Promise<Facet> {
  const { key, state } = o
  const field = modelAdmin.field(key)
  const values = state.filters.get(key) ?? []
  const isRelation = field.kind === "reference" || field.kind === "many"
  const { choices, all } = isRelation ? await relationChoices(request, modelAdmin, o) : { choices: fixedChoices(modelAdmin, key), all: true }
  const countable = !(await request.access.byRow(modelAdmin.model)) && (o.size <= SMALL || (modelAdmin.isIndexed(key) && field.kind !== "many"))
  const one = field.kind === "boolean" || field.kind === "date" || field.kind === "datetime"
  const options = choices.map(async ([value, label]): Promise<FacetOption> => {
    const active = values.includes(value)
    const next = active ? values.filter(other => other !== value) : one ? [value] : [...values, value]
    return { value, label, active, href: stateQuery(state, { filters: withFilter(state, key, next) }), count: countable ? await countOf(request.access.rows(modelAdmin.model), modelAdmin, { key, value, zone: request.zone }) : undefined }
  })
  const made = await Promise.all(options)
  const chosen = values.map(value => made.find(option => option.value === value)?.label ?? value.replace("..", " – "))
  const typed = !all ? "relation" : ["integer", "number", "decimal"].includes(field.kind) ? "range" : undefined
  return { key, label: modelAdmin.labelOf(key), options: made, typed, chosen, clear: stateQuery(state, { filters: withFilter(state, key, []) }) }
}

function fixedChoices(modelAdmin: ModelAdmin, key: string): (readonly [string, string])[] {
  const field = modelAdmin.field(key)
  const empty: (readonly [string, string])[] = field.options.optional === true ? [[EMPTY, "Empty"]] : []
  switch (field.kind) {
    case "boolean":
      return [["yes", "Yes"], ["no", "No"], ...empty]
    case "choice":
      return [...field.options.choices!, ...empty]
    case "date":
    case "datetime":
      return [...RANGES, ...(empty.length > 0 ? ([[FILLED, "Has a date"]] as const) : []), ...(empty.length > 0 ? ([[EMPTY, "No date"]] as const) : [])]
    default:
      return empty.length > 0 ? [[FILLED, "Not empty"], ...empty] : []
  }
}

/** The rows a relation may lead to, when they are few; else those that are chosen already. */
async function relationChoices(request: AdminRequest, modelAdmin: ModelAdmin, { key, state }: { key: string; state: ListState }): Promise<{ choices: (readonly [string, string])[]; all: boolean }> {
  const target = modelAdmin.targetOf(key)
  const rows = await request.access.rows(target).limit(MOST_OPTIONS + 1)
  const all = rows.length <= MOST_OPTIONS
  const ids = all ? rows.map(row => row.id as number) : (state.filters.get(key) ?? []).map(Number)
  const links = await request.access.relatedRows(target, ids)
  const empty: (readonly [string, string])[] = modelAdmin.field(key).options.optional === true ? [[EMPTY, "Empty"]] : []
  return { choices: [...[...links.values()].map(link => [String(link.id), link.title] as const), ...empty], all }
}

async function countOf(query: Query<any>, modelAdmin: ModelAdmin, o: { key: string; value: string; zone: string }): Promise<string | undefined> {
  const where = condition(modelAdmin, o.key, { values: [o.value], zone: o.zone })
  if (where === undefined) return undefined
  const count = await query.where(where).countUpTo(COUNT_UP_TO + 1)
  return count > COUNT_UP_TO ? `${COUNT_UP_TO.toLocaleString("en-GB")}+` : String(count)
}

/** The drill-down by date: where one is, and the years, months or days below it that have rows. */
export interface Drill {
  readonly label: string
  readonly up: readonly { readonly label: string; readonly href: string }[]
  readonly here: string | undefined
  readonly below: readonly { readonly label: string; readonly href: string }[]
}

const MOST_YEARS = 30

/** At most 31 look-ups by index, however many rows: other filters and the search do not narrow what is offered. */
export async function drillOf(request: AdminRequest, modelAdmin: ModelAdmin, o: { state: ListState; levels: ReadonlyMap<string, Level> }): Promise<Drill | undefined> {
  const key = modelAdmin.dates
  if (key === undefined || o.levels.get(key) === "none") return undefined
  const { state } = o
  const query = request.access.rows(modelAdmin.model)
  const part = state.date
  const href = (date: string | undefined) => stateQuery(state, { date })
  const parts = part?.split("-") ?? []
  const up = [{ label: "All", href: href(undefined) }, ...parts.slice(0, -1).map((_, i) => ({ label: shortLabel(parts.slice(0, i + 1).join("-")), href: href(parts.slice(0, i + 1).join("-")) }))]
  const candidates = part === undefined ? await years(request, modelAdmin, { key, query }) : parts.length === 1 ? months(part) : parts.length === 2 ? days(part) : []
  // Sorted by the date itself: else Postgres takes rows of a year to lie everywhere, and reads the table to find one.
  const has = async (part: string) => (await query.where(drillTo(modelAdmin, key, { part, zone: request.zone })!).order(modelAdmin.rowKey(key) as never).limit(1).pluck("id")).length > 0
  const filled = await Promise.all(candidates.map(async candidate => ((await has(candidate)) ? candidate : undefined)))
  const below = filled.filter(candidate => candidate !== undefined).map(candidate => ({ label: shortLabel(candidate), href: href(candidate) }))
  if (part === undefined && below.length === 0) return undefined
  return { label: modelAdmin.labelOf(key), up: part === undefined ? [] : up, here: part === undefined ? undefined : showRange(part), below }
}

function shortLabel(part: string): string {
  if (part.length === 4) return part
  return part.length === 7 ? showRange(part).split(" ")[0]! : String(Number(part.slice(8)))
}

/** From the first to the last row that has a date; the newest 30 years of it. */
async function years(request: AdminRequest, modelAdmin: ModelAdmin, { key, query }: { key: string; query: Query<any> }): Promise<string[]> {
  const at = modelAdmin.rowKey(key)
  const dated = query.where({ [at]: ne(null) } as never)
  const [first, last] = [(await dated.order(at as never).first()) as AnyRow | null, (await dated.order(`-${at}` as never).first()) as AnyRow | null]
  if (first === null || last === null) return []
  const newest = yearOf(last[at], HALF_DAY)
  const oldest = Math.max(yearOf(first[at], -HALF_DAY), newest - MOST_YEARS + 1)
  return Array.from({ length: Math.max(0, newest - oldest + 1) }, (_, i) => String(newest - i)).filter(text => dayRange(text) !== undefined)
}
function yearOf(value: unknown, shiftMs: number): number {
  return value instanceof Date ? new Date(value.getTime() + shiftMs).getUTCFullYear() : Number(String(value).slice(0, 4))
}
/** The first and last moment may be in another year in the admin's time zone; years without rows are left out anyway. */
const HALF_DAY = 14 * 3_600_000

function months(year: string): string[] {
  return Array.from({ length: 12 }, (_, i) => `${year}-${String(i + 1).padStart(2, "0")}`)
}
function days(month: string): string[] {
  return Array.from({ length: 31 }, (_, i) => `${month}-${String(i + 1).padStart(2, "0")}`).filter(day => dayRange(day) !== undefined)
}
