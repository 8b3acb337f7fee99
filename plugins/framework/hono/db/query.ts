import { count, inArray, type SQL, sql } from "drizzle-orm"
import { checkOptions, type Shape } from "edge"
import { database, type Handle } from "./database.ts"
import { estimate } from "./estimate.ts"
import { ConditionError, explainConstraint, MultipleFound, NotFound } from "./errors.ts"
import type { Field } from "./field.ts"
import type { ColumnKeys, Fields, Loaded, ManyKeys, ModelBase, New, Patch, ReferenceKeys, Row } from "./model.ts"
import { column as columnName } from "./naming.ts"
import { fromCursor, type Page, type PageOptions, segments, type SortKey, sortKeys, toCursor } from "./page.ts"
import { type Clauses, NOTHING, refuse, rowsOf } from "./clauses.ts"
import { checkRelations, link, loadRelation } from "./relations.ts"
import { searchedIn } from "./search.ts"
import { conditionOf, orderOf, select, within } from "./select.ts"
import type { Table } from "./tables.ts"
import { check } from "./values.ts"
import { columnAt, type Exact, hasColumn, type Where } from "./where.ts"

type OrderKey<F extends Fields> = (keyof Row<F> & string) | `-${keyof Row<F> & string}`
type AnyRow = Record<string, unknown>

const PAGE: Shape<PageOptions> = { size: "any", after: "any", before: "any" }

/**
 * Rows to be asked for. Every method gives a new query; awaiting one runs it. Which method takes which modifier stands in
 * clauses.ts and docs/framework.md; what a method would have to leave aside throws ConditionError.
 */
export class Query<F extends Fields, L extends string = never> implements PromiseLike<Loaded<F, L>[]> {
  constructor(
    readonly model: ModelBase<F>,
    private readonly clauses: Clauses = NOTHING,
  ) {}

  #with(change: Partial<Clauses>): this {
    return new Query<F, L>(this.model, { ...this.clauses, ...change }) as this
  }

  /** Rows that answer the condition, and those before it. Undefined and plain objects as values throw ConditionError when it is run. */
  where<const C extends Where<F>>(condition: C & Exact<F, C>): this {
    return this.#with({ where: [...this.clauses.where, condition] })
  }

  /** Sorts by these, "-" in front for descending; replaces an earlier order. The id decides between equals. */
  order(...keys: OrderKey<F>[]): this {
    for (const key of keys) {
      if (typeof key !== "string" || !hasColumn(this.model, key.replace(/^-/, ""))) throw new ConditionError(`${this.model.name} cannot be sorted by "${key}"`)
    }
    return this.#with({ order: keys })
  }

  /** At most so many rows; replaces an earlier limit. */
  limit(rows: number): this {
    return this.#with({ limit: rowsOf("limit()", rows, 0) })
  }
  /** Without the first so many rows. */
  offset(rows: number): this {
    return this.#with({ offset: rowsOf("offset()", rows, 0) })
  }
  /** Whether a limit or offset was set. */
  get limited(): boolean {
    return this.clauses.limit !== undefined || this.clauses.offset > 0
  }

  /** Inside a transaction: nobody else changes these rows until it ends. SQLite has one writer at a time anyway. */
  forUpdate(): this {
    return this.#with({ lock: true })
  }

  /** Loads related rows too, one query for each relation however many rows there are. */
  with<K extends ReferenceKeys<F> | ManyKeys<F>>(...keys: K[]): Query<F, L | K> {
    checkRelations(this.model, keys)
    return new Query<F, L | K>(this.model, { ...this.clauses, load: [...new Set([...this.clauses.load, ...keys])] })
  }

  /** Leaves columns out: a list needs no long texts, and reading them is most of its cost. Say it last. */
  without<K extends ColumnKeys<F>>(...keys: K[]): Query<Omit<F, K>, L> {
    for (const key of keys) {
      if (!hasColumn(this.model, key) || (key as string) === "id") throw new ConditionError(`${this.model.name} has no column "${key}" that can be left out`)
    }
    return new Query<F, L>(this.model, { ...this.clauses, omit: [...this.clauses.omit, ...keys] }) as unknown as Query<Omit<F, K>, L>
  }

  /** Rows whose `search` fields contain every word, or are that number. */
  search(words: string): this {
    const fields = Object.entries(this.model.fields).filter(([, field]) => field.options.search === true)
    const conditions = words.split(/\s+/).filter(Boolean).slice(0, 8)
    if (conditions.length === 0 || fields.length === 0) return this
    const all = conditions.map(word => ({
      or: fields.flatMap(([key, field]) => {
        const test = searchedIn(field as Field, word)
        return test === undefined ? [] : [{ [key]: test }]
      }),
    }))
    return this.#with({ where: [...this.clauses.where, { and: all }] })
  }

  // oxlint-disable-next-line unicorn/no-thenable
  then<A = Loaded<F, L>[], B = never>(
    done?: ((rows: Loaded<F, L>[]) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#rows().then(done, failed)
  }

  async first(): Promise<Loaded<F, L> | null> {
    return (await this.#atMost(1).#rows())[0] ?? null
  }

  /** The one row of that id, or that answers the condition; throws NotFound, or MultipleFound when there are more. */
  async get<const C extends Where<F> | number>(wanted: C & (C extends number ? C : Exact<F, C>)): Promise<Loaded<F, L>> {
    const one = typeof wanted === "number" ? this.#at(wanted) : this.where(wanted as never)
    const rows = await one.#atMost(2).#rows()
    if (rows.length > 1) throw new MultipleFound(`more than one ${this.model.name} answers get(); the first of them: .where({ ... }).first(), with an order`)
    if (rows.length === 0) throw new NotFound(`no ${this.model.name} ${JSON.stringify(wanted)}`)
    return rows[0]!
  }

  /** How many rows; with limit() and offset(), how many of those that are left by them. */
  async count(): Promise<number> {
    refuse("count", this.clauses, this.model.name)
    return this.#count(this.clauses)
  }

  /** How many rows, counting no further than `most`: `most` means that or more. Reads at most `most` rows of an index. */
  async countUpTo(most: number): Promise<number> {
    refuse("countUpTo", this.clauses, this.model.name)
    return this.#count(this.#atMost(rowsOf("countUpTo()", most, 0)).clauses)
  }

  async #count(clauses: Clauses): Promise<number> {
    const rows: { n: number }[] = await database().read(db => {
      const table = database().tables.of(this.model)
      const where = conditionOf(this.model, clauses, db)
      if (clauses.limit === undefined && clauses.offset === 0) return db.select({ n: count() }).from(table).where(where)
      // Not sorted: a database may then walk the wrong index to the first row that fits.
      return db.select({ n: count() }).from(within(db.select({ one: sql`1`.as("one") }).from(table).where(where).$dynamic(), clauses).as("some"))
    })
    return Number(rows[0]?.n ?? 0)
  }

  /** About how many rows the table has, at once at any size; undefined where the database cannot say. Takes no condition. */
  async estimate(): Promise<number | undefined> {
    refuse("estimate", this.clauses, this.model.name)
    return estimate(this.model)
  }

  /**
   * A page of rows by keyset: page 20,000 costs what page 1 costs, and rows that come or go meanwhile neither repeat nor
   * hide others. Nulls of a sort key come last.
   */
  async page(options: PageOptions): Promise<Page<Loaded<F, L>>> {
    refuse("page", this.clauses, this.model.name)
    checkOptions(`${this.model.name}: page()`, options ?? null, PAGE)
    const size = rowsOf("the size of a page", options.size, 1)
    const keys = this.#sortKeys()
    if (keys.some(key => key.field?.kind === "json")) throw new ConditionError(`${this.model.name}: pages cannot be sorted by json`)
    const after = options.after === undefined ? undefined : fromCursor(keys, options.after)
    const before = options.before === undefined || after !== undefined ? undefined : fromCursor(keys, options.before)
    const backwards = before !== undefined
    const found = await this.#walk(keys, { from: after ?? before, backwards, rows: size + 1 })
    // Back at the start with less than a page: show the first page, not its remains.
    if (backwards && found.length < size) return this.page({ size })
    const more = found.length > size
    const rows = found.slice(0, size)
    if (backwards) rows.reverse()
    await this.#loadAll(rows)
    const cursor = (row: object | undefined) => (row === undefined ? undefined : toCursor(keys, row as AnyRow))
    return {
      rows: rows as Loaded<F, L>[],
      next: backwards || more ? cursor(rows.at(-1)) : undefined,
      previous: (backwards && more) || after !== undefined ? cursor(rows[0]) : undefined,
    }
  }

  /** Every row, or as many as limit() says, `size` at a time, in constant memory: for exports and jobs. */
  async *each(size = 500): AsyncGenerator<Loaded<F, L>> {
    refuse("each", this.clauses, this.model.name)
    rowsOf("each()", size, 1)
    const keys = this.#sortKeys()
    let left = this.clauses.limit ?? Number.POSITIVE_INFINITY
    let from: unknown[] | undefined
    while (left > 0) {
      const asked = Math.min(size, left)
      const rows = await this.#walk(keys, { from, backwards: false, rows: asked })
      const last = rows.at(-1)
      from = last === undefined ? undefined : keys.map(key => last[key.name])
      await this.#loadAll(rows)
      yield* rows as Loaded<F, L>[]
      if (rows.length < asked) return
      left -= rows.length
    }
  }

  async exists(): Promise<boolean> {
    refuse("exists", this.clauses, this.model.name)
    return (await this.#count(this.#atMost(1).clauses)) > 0
  }

  /** Only one column of each row. */
  async pluck<K extends keyof Row<F> & string>(key: K): Promise<Row<F>[K][]> {
    const column = columnAt(this.model, database().tables.of(this.model), key)
    if (column === undefined) throw new ConditionError(`${this.model.name} has no column "${key}"`)
    const rows: AnyRow[] = await database().read(db => select(db, this.model, { clauses: this.clauses, fields: { [key]: column } }))
    return rows.map(row => row[key]) as Row<F>[K][]
  }

  /** Changes every row of the query, with limit() the first of them in its order; gives how many. */
  async update(patch: Patch<F>): Promise<number> {
    const { row, many } = check(this.model, patch as AnyRow, true)
    if (Object.keys(many).length > 0) throw new Error("update() of many rows cannot set relations; use Model.update(row, ...)")
    if (Object.keys(row).length === 0) return 0
    return this.#set(row)
  }

  #set(row: AnyRow): Promise<number> {
    return this.#written(async db => {
      const table = database().tables.of(this.model)
      return (await db.update(table).set(row).where(this.#these(db, table)).returning({ id: table.id })).length
    })
  }

  /** Deletes every row of the query, with limit() the first of them in its order; gives how many. */
  async delete(): Promise<number> {
    return this.#written(async db => {
      const table = database().tables.of(this.model)
      return (await db.delete(table).where(this.#these(db, table)).returning({ id: table.id })).length
    })
  }

  /** The rows that a write is for. Which those are within a limit is asked once: Postgres may run a subquery again for every row. */
  #these(db: Handle, table: Table): SQL | undefined {
    if (!this.limited && !this.clauses.lock) return conditionOf(this.model, this.clauses, db)
    const ids = select(db, this.model, { clauses: this.clauses, fields: { id: table.id } })
    return database().dialect === "postgres" ? sql`${table.id} = any(array(${ids}))` : inArray(table.id, ids)
  }

  async create(values: New<F>): Promise<Row<F>> {
    return (await this.createMany([values]))[0]!
  }

  /** All of them or none, in statements of at most 500 rows. */
  async createMany(values: readonly New<F>[]): Promise<Row<F>[]> {
    refuse("create", this.clauses, this.model.name)
    const checked = values.map(value => check(this.model, value as AnyRow, false))
    if (checked.length === 0) return []
    const insert = async (): Promise<Row<F>[]> => {
      const made: Row<F>[] = []
      for (let i = 0; i < checked.length; i += 500) {
        const part = checked.slice(i, i + 500)
        const rows: Row<F>[] = await this.#written(db =>
          db.insert(database().tables.of(this.model)).values(part.map(c => c.row)).returning(),
        )
        for (const [n, row] of rows.entries()) await this.#link(row.id, part[n]!.many)
        made.push(...rows)
      }
      return made
    }
    const single = checked.length === 1 && Object.keys(checked[0]!.many).length === 0
    return single ? insert() : database().transaction(insert)
  }

  /** Changes the row of that id, if it is one of the query's; throws NotFound. */
  async updateOne(id: number, patch: Patch<F>): Promise<Row<F>> {
    refuse("updateOne", this.clauses, this.model.name)
    const { row, many } = check(this.model, patch as AnyRow, true)
    const one = this.#at(id)
    const change = async (): Promise<Row<F>> => {
      const there = Object.keys(row).length > 0 ? (await one.#set(row)) > 0 : (await one.#count(one.clauses)) > 0
      if (!there) throw new NotFound(`no ${this.model.name} ${id}`)
      await this.#link(id, many)
      return new Query<F>(this.model).get(id)
    }
    return Object.keys(many).length === 0 ? change() : database().transaction(change)
  }

  /** Deletes the row of that id, if it is one of the query's; throws NotFound. */
  async deleteOne(id: number): Promise<void> {
    refuse("deleteOne", this.clauses, this.model.name)
    if ((await this.#at(id).delete()) === 0) throw new NotFound(`no ${this.model.name} ${id}`)
  }

  #at(id: number): this {
    return this.#with({ where: [...this.clauses.where, { id }] })
  }

  #atMost(rows: number): this {
    return this.#with({ limit: Math.min(rows, this.clauses.limit ?? rows) })
  }

  async #rows(): Promise<Loaded<F, L>[]> {
    const rows: AnyRow[] = await database().read(db => select(db, this.model, { clauses: this.clauses }))
    await this.#loadAll(rows)
    return rows as Loaded<F, L>[]
  }

  async #loadAll(rows: AnyRow[]): Promise<void> {
    for (const key of this.clauses.load) await loadRelation(this.model, key, rows)
  }

  #sortKeys(): SortKey[] {
    return sortKeys(this.model, orderOf(this.model, this.clauses))
  }

  /** The next rows from a place on, segment by segment until there are enough. Mostly the first has them. */
  async #walk(keys: readonly SortKey[], walk: { from: readonly unknown[] | undefined; backwards: boolean; rows: number }): Promise<AnyRow[]> {
    const found: AnyRow[] = []
    for (const { where, order, sure } of segments(keys, walk.from, walk.backwards)) {
      const clauses: Clauses = {
        ...this.clauses,
        where: [...this.clauses.where, where],
        order,
        nulls: { place: walk.backwards ? "first" : "last", from: sure ? 1 : 0 },
        limit: walk.rows - found.length,
        offset: 0,
      }
      found.push(...(await database().read<AnyRow[]>(db => select(db, this.model, { clauses }))))
      if (found.length >= walk.rows) break
    }
    return found
  }

  async #link(id: number, many: Readonly<Record<string, readonly number[]>>): Promise<void> {
    for (const [key, ids] of Object.entries(many)) await this.#explained(() => link(this.model, key, { id, ids }))
  }

  #written<T>(f: (db: Handle) => PromiseLike<T>): Promise<T> {
    return this.#explained(() => database().write(f))
  }

  async #explained<T>(f: () => Promise<T>): Promise<T> {
    try {
      return await f()
    } catch (error) {
      throw explainConstraint(error, this.model.name, name =>
        Object.entries(this.model.fields).find(([key, field]) => columnName(key, (field as Field).kind === "reference") === name)?.[0],
      )
    }
  }
}
