import type { AnyModel } from "../../db/model.ts"
import { database } from "../../db/database.ts"
import { inArray } from "drizzle-orm"
import type { Access, RelatedRow } from "../model/access.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import type { AnyRow } from "../model/staff.ts"

/** The rows that rows refer to, by field: names for lists, exports and history. */
export class Related {
  readonly #links = new Map<string, ReadonlyMap<number, RelatedRow>>()
  /** Of `many` fields: ids by id of the row. */
  readonly #lists = new Map<string, ReadonlyMap<number, readonly number[]>>()

  constructor(
    readonly access: Access,
    readonly modelAdmin: ModelAdmin,
  ) {}

  /** Loads what these fields of these rows lead to: one query a relation (two for `many`) however many rows. */
  async load(rows: readonly AnyRow[], keys: readonly string[]): Promise<this> {
    for (const key of keys) {
      const { kind } = this.modelAdmin.field(key)
      if (kind === "reference") this.#links.set(key, await this.access.relatedRows(this.modelAdmin.targetOf(key), rows.map(row => row[this.modelAdmin.rowKey(key)])))
      if (kind !== "many") continue
      const lists = await pairs(this.modelAdmin.model, key, rows.map(row => row.id))
      this.#lists.set(key, lists)
      this.#links.set(key, await this.access.relatedRows(this.modelAdmin.targetOf(key), [...lists.values()].flat()))
    }
    return this
  }

  /** What a reference or `many` field of a row leads to; rows that may not be seen are not among it. */
  of(key: string, row: AnyRow): RelatedRow[] {
    const field = this.modelAdmin.field(key)
    const ids = field.kind === "many" ? (this.#lists.get(key)?.get(row.id) ?? []) : [row[this.modelAdmin.rowKey(key)] as number]
    return ids.flatMap(id => this.#links.get(key)?.get(id) ?? [])
  }
}

/** Ids on the other side of a `many` field, by id on this side. */
export async function pairs(model: AnyModel, key: string, ids: readonly number[]): Promise<ReadonlyMap<number, number[]>> {
  const table = database().tables.pairs(model, key)
  const found = new Map<number, number[]>(ids.map(id => [id, []]))
  if (ids.length === 0) return found
  const links = await database().read<{ from: number; to: number }[]>(db => db.select().from(table).where(inArray(table.from, [...ids])).orderBy(table.to))
  for (const { from, to } of links) found.get(from)?.push(to)
  return found
}
