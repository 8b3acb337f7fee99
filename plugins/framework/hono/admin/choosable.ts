import type { AnyModel } from "../db/model.ts"
import type { Query } from "../db/query.ts"
import type { Rows } from "../forms/field.ts"
import type { Access } from "./access.ts"
import type { AnyRow } from "./staff.ts"

/**
 * Rows of a relation as a form offers and takes them: only those that exist for this person and may be seen. An id of
 * another row, sent by hand, is refused as one that is not there.
 */
export class ChoosableRows implements Rows {
  constructor(
    private readonly access: Access,
    private readonly model: AnyModel,
    private readonly query: Query<any> = access.rows(model),
  ) {}

  #with(query: Query<any>): ChoosableRows {
    return new ChoosableRows(this.access, this.model, query)
  }
  where(condition: any): ChoosableRows {
    return this.#with(this.query.where(condition))
  }
  search(words: string): ChoosableRows {
    return this.#with(searchIn(this.access, this.model, { query: this.query, words }))
  }
  limit(rows: number): ChoosableRows {
    return this.#with(this.query.limit(rows))
  }

  async #rows(): Promise<AnyRow[]> {
    return this.access.visible(this.model, (await this.query) as unknown as AnyRow[])
  }
  async pluck(_key: "id"): Promise<number[]> {
    return (await this.#rows()).map(row => row.id)
  }
  // oxlint-disable-next-line unicorn/no-thenable
  then<A = readonly AnyRow[], B = never>(done?: ((rows: readonly AnyRow[]) => A | PromiseLike<A>) | null, failed?: ((why: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
    return this.#rows().then(done, failed)
  }
}

/** Rows in which every word is found, in the fields that the list of that model searches; a field that has none: its name. */
export function searchIn(access: Access, model: AnyModel, o: { query: Query<any>; words: string }): Query<any> {
  const keys = access.desks.of(model)?.search.filter(({ key, exact }) => !exact && model.fields[key].kind !== "uuid" && model.fields[key].kind !== "date").map(({ key }) => key) ?? Object.keys(model.fields).filter(key => ["text", "email", "slug"].includes(model.fields[key].kind))
  let { query } = o
  for (const word of o.words.replaceAll("\0", "").split(/\s+/).filter(Boolean).slice(0, 8)) {
    query = query.where((keys.length === 0 ? { id: -1 } : { or: keys.map(key => ({ [key]: { contains: word } })) }) as never)
  }
  return query
}
