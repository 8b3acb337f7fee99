import { count, inArray } from "drizzle-orm"
import { can } from "../../auth/permissions.ts"
import { oneOf } from "../../db/compare.ts"
import { database } from "../../db/database.ts"
import type { Field } from "../../db/field.ts"
import type { AnyModel } from "../../db/model.ts"
import { target } from "../../db/tables.ts"
import type { Access } from "../model/access.ts"
import type { AnyRow } from "../model/staff.ts"

/** Rows of one model that a deletion touches. */
export interface Touched {
  readonly model: AnyModel
  readonly count: number
  /** Counting stopped there. */
  readonly more: boolean
  /** The first of those that the person may see. */
  readonly sample: readonly { readonly id: number; readonly title: string }[]
  /** By which field they refer to what is deleted. */
  readonly via: string
}

/** What a deletion would do, found before anything is done. */
export interface DeletionPlan {
  /** Deleted along (cascade). */
  readonly along: readonly Touched[]
  /** Stay, with the reference emptied. */
  readonly unlinked: readonly Touched[]
  /** Refer to it and must not lose it (restrict): nothing can be deleted while they are there. */
  readonly blocked: readonly Touched[]
  /** Models of which this person may not delete the rows that would go along. */
  readonly forbidden: readonly AnyModel[]
}

/** Rows of one model that are followed; beyond it the page says "more", and the database does the rest. */
const MOST = 5000
const SAMPLE = 10

/** Follows every reference to the rows, and from what goes along to what refers to that, as the database would. */
export async function planDeletion(access: Access, models: readonly AnyModel[], what: { model: AnyModel; ids: readonly number[] }): Promise<DeletionPlan> {
  const found = { along: new Map<string, Touched>(), unlinked: [] as Touched[], blocked: [] as Touched[] }
  const forbidden = new Set<AnyModel>()
  const seen = new Map<AnyModel, Set<number>>([[what.model, new Set(what.ids)]])
  const queue: { model: AnyModel; ids: readonly number[] }[] = [what]
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    for (const { model, key, field } of referring(models, step.model)) {
      const ids = await referringIds(model, key, step.ids)
      const known = seen.get(model) ?? new Set<number>()
      // A row that goes along already is not to be told twice, nor to be walked from again (a tree of comments).
      const fresh = ids.filter(id => !known.has(id))
      if (fresh.length === 0) continue
      const touched = await describe(access, { model, ids: fresh, via: key, more: ids.length >= MOST })
      if (field.options.onDelete === "set null") {
        if (model.options.internal !== true) found.unlinked.push(touched)
        continue
      }
      if (field.options.onDelete === "restrict") {
        found.blocked.push(touched)
        continue
      }
      seen.set(model, new Set([...known, ...fresh]))
      queue.push({ model, ids: fresh })
      // What a part keeps for itself (sessions, tokens) goes along without a word.
      if (model.options.internal === true) continue
      const name = `${model.name}.${key}`
      const before = found.along.get(name)
      found.along.set(name, before === undefined ? touched : { ...before, count: before.count + touched.count })
      if (!(await mayDelete(access, model, fresh))) forbidden.add(model)
    }
    found.unlinked.push(...(await unpaired(models, step)))
  }
  return { along: [...found.along.values()], unlinked: found.unlinked, blocked: found.blocked, forbidden: [...forbidden] }
}

export function isPossible(plan: DeletionPlan): boolean {
  return plan.blocked.length === 0 && plan.forbidden.length === 0
}

function referring(models: readonly AnyModel[], to: AnyModel): { model: AnyModel; key: string; field: Field }[] {
  return models.flatMap(model =>
    (Object.entries(model.fields) as [string, Field][]).filter(([, field]) => field.kind === "reference" && target(model, field) === to).map(([key, field]) => ({ model, key, field })),
  )
}

async function referringIds(model: AnyModel, key: string, ids: readonly number[]): Promise<number[]> {
  const found: number[] = []
  for (let i = 0; i < ids.length && found.length < MOST; i += 500) {
    found.push(...((await model.where({ [`${key}Id`]: oneOf(ids.slice(i, i + 500)) } as never).order("id" as never).limit(MOST - found.length).pluck("id" as never)) as number[]))
  }
  return found
}

async function describe(access: Access, o: { model: AnyModel; ids: readonly number[]; via: string; more: boolean }): Promise<Touched> {
  const links = o.model.options.internal === true ? new Map() : await access.relatedRows(o.model, o.ids.slice(0, SAMPLE))
  return { model: o.model, count: o.ids.length, more: o.more, via: o.via, sample: [...links.values()].map(({ id, title }) => ({ id, title })) }
}

async function mayDelete(access: Access, model: AnyModel, ids: readonly number[]): Promise<boolean> {
  const modelAdmin = access.modelAdmins.of(model)
  if (access.user.isSuperuser && modelAdmin?.settings.can?.delete === undefined) return true
  for (let i = 0; i < ids.length; i += 500) {
    const rows = (await model.where({ id: oneOf(ids.slice(i, i + 500)) } as never)) as unknown as AnyRow[]
    for (const row of rows) if (!(await (modelAdmin === undefined ? can(access.user, "delete", model, row) : access.may(modelAdmin, "delete", row)))) return false
  }
  return true
}

/** Rows whose `many` field has one of these: they lose it from the list. */
async function unpaired(models: readonly AnyModel[], step: { model: AnyModel; ids: readonly number[] }): Promise<Touched[]> {
  const found: Touched[] = []
  for (const model of models) {
    for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
      if (field.kind !== "many" || target(model, field) !== step.model) continue
      const pairs = database().tables.pairs(model, key)
      const rows = await database().read<{ n: number }[]>(db => db.select({ n: count() }).from(pairs).where(inArray(pairs.to, step.ids.slice(0, 1000))))
      const n = Number(rows[0]?.n ?? 0)
      if (n > 0) found.push({ model, count: n, more: false, sample: [], via: key })
    }
  }
  return found
}
