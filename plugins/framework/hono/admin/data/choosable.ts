import { contains } from "../../db/compare.ts"
import type { AnyModel } from "../../db/model.ts"
import type { Query } from "../../db/query.ts"
import type { Rows } from "../../forms/field.ts"
import type { Access } from "../model/access.ts"
import { titleKey } from "../model/defaults.ts"
import type { AnyRow } from "../model/staff.ts"

/**
 * Rows of a relation as a form offers and takes them: only those that exist for this person and may be seen. An id of
 * another row, sent by hand, is refused as one that is not there.
 */
export class ChoosableRows implements Rows {
  /** `keys` are the fields that a search looks in (searchKeys). */
  constructor(
    private readonly access: Access,
    private readonly model: AnyModel,
    private readonly o: { query: Query<any>; keys: readonly string[] },
  ) {}

  #with(query: Query<any>): ChoosableRows {
    return new ChoosableRows(this.access, this.model, { ...this.o, query })
  }
  where(condition: any): ChoosableRows {
    return this.#with(this.o.query.where(condition))
  }
  search(words: string): ChoosableRows {
    return this.#with(searchIn(this.o.query, words, this.o.keys))
  }
  limit(rows: number): ChoosableRows {
    return this.#with(this.o.query.limit(rows))
  }

  async #rows(): Promise<AnyRow[]> {
    const rows = await this.access.visible(this.model, (await this.o.query) as unknown as AnyRow[])
    const key = this.model.options.title === undefined ? titleKey(this.model) : undefined
    const modelAdmin = this.access.modelAdmins.of(this.model)
    if (key === undefined || modelAdmin === undefined) return rows
    // A form shows them by their name: without it they are called by their number.
    return Promise.all(rows.map(async row => ((await this.access.canSee(modelAdmin, key, row)) ? row : { ...row, [key]: "" })))
  }
  async pluck(_key: "id"): Promise<number[]> {
    return (await this.#rows()).map(row => row.id)
  }
  // oxlint-disable-next-line unicorn/no-thenable
  then<A = readonly AnyRow[], B = never>(done?: ((rows: readonly AnyRow[]) => A | PromiseLike<A>) | null, failed?: ((why: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
    return this.#rows().then(done, failed)
  }
}

/** Fields that a search for a row looks in: those of its list's search that the person may see. */
export async function searchKeys(access: Access, model: AnyModel): Promise<string[]> {
  const modelAdmin = access.modelAdmins.of(model)
  if (modelAdmin === undefined) return Object.keys(model.fields).filter(key => TEXTS.includes(model.fields[key].kind))
  const levels = await access.levels(modelAdmin)
  return modelAdmin.search.filter(({ key, exact }) => !exact && TEXTS.includes(modelAdmin.field(key).kind) && levels.get(key) !== "none").map(({ key }) => key)
}
const TEXTS = ["text", "email", "slug"]

/** Rows in which every word is found. */
export function searchIn(query: Query<any>, words: string, keys: readonly string[]): Query<any> {
  let found = query
  for (const word of words.replaceAll("\0", "").split(/\s+/).filter(Boolean).slice(0, 8)) {
    found = found.where((keys.length === 0 ? { id: -1 } : { or: keys.map(key => ({ [key]: contains(word) })) }) as never)
  }
  return found
}
