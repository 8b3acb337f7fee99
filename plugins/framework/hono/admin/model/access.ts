import { can, hasPolicy } from "../../auth/permissions.ts"
import { oneOf } from "../../db/compare.ts"
import type { AnyModel } from "../../db/model.ts"
import type { Query } from "../../db/query.ts"
import type { Desk } from "./model-admin.ts"
import { titleKey } from "./defaults.ts"
import type { Level } from "./settings.ts"
import { type AnyRow, type Staff, titleOf } from "./staff.ts"

export type DeskAction = "view" | "add" | "change" | "delete" | "export"

/** The desks by model, as far as access is concerned. */
export interface Desks {
  of(model: AnyModel): Desk | undefined
}

/** A row of another model, as far as it is shown where it is referred to. */
export interface Link {
  readonly id: number
  readonly title: string
  /** Where it is edited; undefined when its model has no pages in the admin. */
  readonly desk: Desk | undefined
}

/** What one person may do, for one request. Every list, form, export, choice and history asks here and nowhere else. */
export class Access {
  readonly #levels = new Map<string, Promise<ReadonlyMap<string, Level>>>()

  constructor(
    readonly user: Staff,
    readonly desks: Desks,
  ) {}

  /** Whether the person may do it to `row`, or to rows of the model at all. */
  async may(desk: Desk, action: DeskAction, row?: AnyRow): Promise<boolean> {
    const ruled = await desk.settings.can?.[action]?.(this.user, row as never)
    if (ruled !== undefined) return ruled
    // Who may change a row may see it; who may see it may take it along.
    if (action === "export") return this.may(desk, "view", row)
    if (action === "view" && (await this.may(desk, "change", row))) return true
    return can(this.user, action, desk.model, row)
  }

  /** The same for a model that may have no desk: a relation can lead to any. */
  mayView(model: AnyModel, row?: AnyRow): Promise<boolean> {
    const desk = this.desks.of(model)
    return desk === undefined ? can(this.user, "view", model, row) : this.may(desk, "view", row)
  }

  /** Whether seeing is decided row by row: then neither counts nor what lies between rows may be told. */
  async byRow(model: AnyModel): Promise<boolean> {
    const rules = this.desks.of(model)?.settings.can
    if (rules?.view !== undefined || (!this.user.isSuperuser && hasPolicy(model))) return true
    // Who sees some rows because they may be changed, and has no right to see the others.
    return rules?.change !== undefined && !(await can(this.user, "view", model))
  }

  /** The rows that exist for this person; what a rule by row hides is taken out by `visible`. */
  rows(model: AnyModel): Query<any> {
    const narrow = this.desks.of(model)?.settings.rows
    return narrow === undefined ? model.all : narrow(model.all, this.user)
  }

  async visible<R extends AnyRow>(model: AnyModel, rows: readonly R[]): Promise<R[]> {
    const may = await Promise.all(rows.map(row => this.mayView(model, row)))
    return rows.filter((_, i) => may[i])
  }

  /** The row, when it exists for this person and may be seen. Otherwise null: absent and forbidden look the same. */
  async find(model: AnyModel, id: number): Promise<AnyRow | null> {
    const row = (await this.rows(model).where({ id }).first()) as AnyRow | null
    return row !== null && (await this.mayView(model, row)) ? row : null
  }

  /** What may be done with each field, of `row` or in general. Fields that may not be seen are "none". */
  levels(desk: Desk, row?: AnyRow): Promise<ReadonlyMap<string, Level>> {
    const key = `${desk.name}/${row?.id ?? ""}`
    let found = this.#levels.get(key)
    if (found === undefined) {
      found = this.#work(desk, row)
      this.#levels.set(key, found)
    }
    return found
  }

  async canSee(desk: Desk, key: string, row?: AnyRow): Promise<boolean> {
    return (await this.levels(desk, row)).get(key) !== "none"
  }

  /** The name of a row, unless it is made of a field that may not be seen. */
  async title(model: AnyModel, row: AnyRow): Promise<string> {
    const desk = this.desks.of(model)
    const key = model.options.title === undefined ? titleKey(model) : undefined
    if (desk !== undefined && key !== undefined && !(await this.canSee(desk, key, row))) return `${model.label} ${row.id}`
    return titleOf(model, row)
  }

  /** Names of related rows by id; those that this person may not see are left out. */
  async links(model: AnyModel, ids: readonly unknown[]): Promise<ReadonlyMap<number, Link>> {
    const wanted = [...new Set(ids.filter((id): id is number => typeof id === "number"))]
    const found = new Map<number, Link>()
    const own = this.desks.of(model)
    const desk = own?.listed === true ? own : undefined
    for (let i = 0; i < wanted.length; i += 500) {
      const rows = (await this.rows(model).where({ id: oneOf(wanted.slice(i, i + 500)) } as never)) as unknown as AnyRow[]
      for (const row of await this.visible(model, rows)) found.set(row.id, { id: row.id, title: await this.title(model, row), desk })
    }
    return found
  }

  async #work(desk: Desk, row: AnyRow | undefined): Promise<ReadonlyMap<string, Level>> {
    const pairs = desk.keys.map(async (key): Promise<[string, Level]> => [key, await this.#level(desk, key, row)])
    return new Map(await Promise.all(pairs))
  }

  async #level(desk: Desk, key: string, row: AnyRow | undefined): Promise<Level> {
    const field = desk.field(key)
    if (desk.hidden.includes(key)) return "none"
    const ruled = desk.settings.field?.(key, this.user, row as never) ?? "write"
    if (ruled === "none") return "none"
    const isRelation = field.kind === "reference" || field.kind === "many"
    if (isRelation && !(await this.mayView(desk.targetOf(key)))) return "none"
    return field.options.editable === false || desk.settings.readonly?.includes(key) === true ? "read" : ruled
  }
}
