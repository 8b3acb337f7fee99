import { can, hasPolicy } from "../../auth/permissions.ts"
import { oneOf } from "../../db/compare.ts"
import type { AnyModel } from "../../db/model.ts"
import type { Query } from "../../db/query.ts"
import type { ModelAdmin } from "./model-admin.ts"
import { titleKey } from "./defaults.ts"
import type { Level } from "./settings.ts"
import { type AnyRow, type Staff, titleOf } from "./staff.ts"

export type AdminOperation = "view" | "add" | "change" | "delete" | "export"

/** The model admins by model, as far as access is concerned. */
export interface ModelAdmins {
  of(model: AnyModel): ModelAdmin | undefined
}

/** A row of another model, as far as it is shown where it is referred to. */
export interface RelatedRow {
  readonly id: number
  readonly title: string
  /** Where it is edited; undefined when its model has no pages in the admin. */
  readonly modelAdmin: ModelAdmin | undefined
}

/** What one person may do, for one request. Every list, form, export, choice and history asks here and nowhere else. */
export class Access {
  readonly #levels = new Map<string, Promise<ReadonlyMap<string, Level>>>()

  constructor(
    readonly user: Staff,
    readonly modelAdmins: ModelAdmins,
  ) {}

  /** Whether the person may do it to `row`, or to rows of the model at all. */
  async may(modelAdmin: ModelAdmin, action: AdminOperation, row?: AnyRow): Promise<boolean> {
    const ruled = await modelAdmin.settings.can?.[action]?.(this.user, row as never)
    if (ruled !== undefined) return ruled
    // Who may change a row may see it; who may see it may take it along.
    if (action === "export") return this.may(modelAdmin, "view", row)
    if (action === "view" && (await this.may(modelAdmin, "change", row))) return true
    return can(this.user, action, modelAdmin.model, row)
  }

  /** The same for a model that is not in the admin: a relation can lead to any. */
  mayView(model: AnyModel, row?: AnyRow): Promise<boolean> {
    const modelAdmin = this.modelAdmins.of(model)
    return modelAdmin === undefined ? can(this.user, "view", model, row) : this.may(modelAdmin, "view", row)
  }

  /** Whether seeing is decided row by row: then neither counts nor what lies between rows may be told. */
  async byRow(model: AnyModel): Promise<boolean> {
    const rules = this.modelAdmins.of(model)?.settings.can
    if (rules?.view !== undefined || (!this.user.isSuperuser && hasPolicy(model))) return true
    // Who sees some rows because they may be changed, and has no right to see the others.
    return rules?.change !== undefined && !(await can(this.user, "view", model))
  }

  /** The rows that exist for this person; what a rule by row hides is taken out by `visible`. */
  rows(model: AnyModel): Query<any> {
    const narrow = this.modelAdmins.of(model)?.settings.rows
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
  levels(modelAdmin: ModelAdmin, row?: AnyRow): Promise<ReadonlyMap<string, Level>> {
    const key = `${modelAdmin.name}/${row?.id ?? ""}`
    let found = this.#levels.get(key)
    if (found === undefined) {
      found = this.#work(modelAdmin, row)
      this.#levels.set(key, found)
    }
    return found
  }

  async canSee(modelAdmin: ModelAdmin, key: string, row?: AnyRow): Promise<boolean> {
    return (await this.levels(modelAdmin, row)).get(key) !== "none"
  }

  /** The name of a row, unless it is made of a field that may not be seen. */
  async title(model: AnyModel, row: AnyRow): Promise<string> {
    const modelAdmin = this.modelAdmins.of(model)
    const key = model.options.title === undefined ? titleKey(model) : undefined
    if (modelAdmin !== undefined && key !== undefined && !(await this.canSee(modelAdmin, key, row))) return `${model.label} ${row.id}`
    return titleOf(model, row)
  }

  /** Names of related rows by id; those that this person may not see are left out. */
  async relatedRows(model: AnyModel, ids: readonly unknown[]): Promise<ReadonlyMap<number, RelatedRow>> {
    const wanted = [...new Set(ids.filter((id): id is number => typeof id === "number"))]
    const found = new Map<number, RelatedRow>()
    const own = this.modelAdmins.of(model)
    const modelAdmin = own?.listed === true ? own : undefined
    for (let i = 0; i < wanted.length; i += 500) {
      const rows = (await this.rows(model).where({ id: oneOf(wanted.slice(i, i + 500)) } as never)) as unknown as AnyRow[]
      for (const row of await this.visible(model, rows)) found.set(row.id, { id: row.id, title: await this.title(model, row), modelAdmin })
    }
    return found
  }

  async #work(modelAdmin: ModelAdmin, row: AnyRow | undefined): Promise<ReadonlyMap<string, Level>> {
    const pairs = modelAdmin.keys.map(async (key): Promise<[string, Level]> => [key, await this.#level(modelAdmin, key, row)])
    return new Map(await Promise.all(pairs))
  }

  async #level(modelAdmin: ModelAdmin, key: string, row: AnyRow | undefined): Promise<Level> {
    const field = modelAdmin.field(key)
    if (modelAdmin.hidden.includes(key)) return "none"
    const ruled = modelAdmin.settings.field?.(key, this.user, row as never) ?? "write"
    if (ruled === "none") return "none"
    const isRelation = field.kind === "reference" || field.kind === "many"
    if (isRelation && !(await this.mayView(modelAdmin.targetOf(key)))) return "none"
    return field.options.editable === false || modelAdmin.settings.readonly?.includes(key) === true ? "read" : ruled
  }
}
