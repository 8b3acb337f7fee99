import { and, asc, between, count, desc, eq, getColumns, inArray, type SQL, sql } from "drizzle-orm"
import { database } from "./database.ts"
import { explainConstraint, NotFound } from "./errors.ts"
import type { Field } from "./field.ts"
import type { AnyModel, ColumnKeys, Fields, Loaded, ManyKeys, ModelBase, New, Patch, ReferenceKeys, Row } from "./model.ts"
import { column } from "./naming.ts"
import { fromCursor, type Page, type PageOptions, segments, type SortKey, sortKeys, toCursor } from "./page.ts"
import { rowKey, type Table, target } from "./tables.ts"
import { check } from "./values.ts"
import { toSql, type Where } from "./where.ts"

type OrderKey<F extends Fields> = (keyof Row<F> & string) | `-${keyof Row<F> & string}`

interface Parts {
  readonly where: readonly Record<string, unknown>[]
  readonly order: readonly string[]
  readonly limit: number | undefined
  readonly offset: number
  readonly load: readonly string[]
  /** Columns that are left out. */
  readonly omit: readonly string[]
  /** Where nulls go, in sort keys from this one on; undefined: where the database puts them. */
  readonly nulls: { readonly place: "first" | "last"; readonly from: number } | undefined
  /** Rows stay as they are read until the transaction ends. */
  readonly lock: boolean
}
const NOTHING: Parts = { where: [], order: [], limit: undefined, offset: 0, load: [], omit: [], nulls: undefined, lock: false }

/** Rows to be asked for. Every method gives a new query; awaiting one runs it. */
export class Query<F extends Fields, L extends string = never> implements PromiseLike<Loaded<F, L>[]> {
  constructor(
    readonly model: ModelBase<F>,
    private readonly parts: Parts = NOTHING,
  ) {}

  #with(change: Partial<Parts>): this {
    return new Query<F, L>(this.model, { ...this.parts, ...change }) as this
  }

  where(condition: Where<F>): this {
    return this.#with({ where: [...this.parts.where, condition as Record<string, unknown>] })
  }

  /** Sorts by these, "-" in front for descending; replaces an earlier order. The id decides between equals. */
  order(...keys: OrderKey<F>[]): this {
    return this.#with({ order: keys })
  }

  limit(rows: number): this {
    return this.#with({ limit: rows })
  }
  offset(rows: number): this {
    return this.#with({ offset: rows })
  }

  /** Inside a transaction: nobody else changes these rows until it ends. SQLite has one writer at a time anyway. */
  forUpdate(): this {
    return this.#with({ lock: true })
  }

  /** Loads related rows too, one query for each relation however many rows there are. */
  with<K extends ReferenceKeys<F> | ManyKeys<F>>(...keys: K[]): Query<F, L | K> {
    return new Query<F, L | K>(this.model, { ...this.parts, load: [...new Set([...this.parts.load, ...keys])] })
  }

  /** Leaves columns out: a list needs no long texts, and reading them is most of its cost. Say it last. */
  without<K extends ColumnKeys<F>>(...keys: K[]): Query<Omit<F, K>, L> {
    return new Query<F, L>(this.model, { ...this.parts, omit: [...this.parts.omit, ...keys] }) as unknown as Query<Omit<F, K>, L>
  }

  /** Rows whose `search` fields contain every word. */
  search(words: string): this {
    const fields = Object.entries(this.model.fields).filter(([, field]) => field.options.search === true)
    const conditions = words.split(/\s+/).filter(Boolean).slice(0, 8)
    if (conditions.length === 0 || fields.length === 0) return this
    const all = conditions.map(word => ({ or: fields.map(([key]) => ({ [key]: { contains: word } })) }))
    return this.#with({ where: [...this.parts.where, { and: all }] })
  }

  // oxlint-disable-next-line unicorn/no-thenable
  then<A = Loaded<F, L>[], B = never>(
    done?: ((rows: Loaded<F, L>[]) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#rows().then(done, failed)
  }

  async first(): Promise<Loaded<F, L> | null> {
    return (await this.limit(1).#rows())[0] ?? null
  }

  /** The one row of that id, or that answers the condition; throws NotFound. */
  async get(id: number | Where<F>): Promise<Loaded<F, L>> {
    const row = await this.where((typeof id === "number" ? { id } : id) as Where<F>).first()
    if (row === null) throw new NotFound(`no ${this.model.name} ${JSON.stringify(id)}`)
    return row
  }

  async count(): Promise<number> {
    const rows: { n: number }[] = await database().read(db => {
      const table = database().tables.of(this.model)
      return db.select({ n: count() }).from(table).where(this.#condition(db))
    })
    return Number(rows[0]?.n ?? 0)
  }

  /** How many rows, counting no further than `most`: `most` means that or more. Reads at most `most` rows of an index. */
  async countUpTo(most: number): Promise<number> {
    const rows: { n: number }[] = await database().read(db => {
      const table = database().tables.of(this.model)
      const some = db.select({ one: sql`1`.as("one") }).from(table).where(this.#condition(db)).limit(most).as("some")
      return db.select({ n: count() }).from(some)
    })
    return Number(rows[0]?.n ?? 0)
  }

  /**
   * About how many rows the table has, whatever the conditions, at once at any size; undefined where the database cannot
   * say. Postgres: what the last ANALYZE found. SQLite: counted up to 100,000 ids (1 ms), then from samples of them.
   */
  async estimate(): Promise<number | undefined> {
    if (database().dialect === "sqlite") return this.#sampled()
    const found: { n: unknown }[] = await database().read(db => db.execute(sql`select reltuples::bigint as n from pg_class where oid = quote_ident(${this.model.table})::regclass`))
    const n = Number(found[0]?.n ?? -1)
    return n < 0 ? undefined : n
  }

  /** How many ids of some short ranges are taken tells how full the whole is: deleted rows leave holes. */
  async #sampled(): Promise<number> {
    const table = database().tables.of(this.model)
    const counted = (where: SQL | undefined) => database().read<{ n: number }[]>(db => db.select({ n: count() }).from(table).where(where)).then(rows => Number(rows[0]!.n))
    const ends: { first: number; last: number }[] = await database().read(db =>
      db.select({ first: sql<number>`coalesce(min(${table.id}), 0)`, last: sql<number>`coalesce((select max(${table.id}) from ${table}), 0)` }).from(table),
    )
    const { first, last } = ends[0]!
    const span = last - first + 1
    if (span <= COUNT_OUT) return counted(undefined)
    let taken = 0
    for (let i = 0; i < SAMPLES; i++) {
      const from = first + Math.floor((i * (span - SAMPLE)) / (SAMPLES - 1))
      taken += await counted(between(table.id, from, from + SAMPLE - 1))
    }
    return Math.round((taken / (SAMPLES * SAMPLE)) * span)
  }

  /**
   * A page of rows by keyset: page 20,000 costs what page 1 costs, and rows that come or go meanwhile neither repeat nor
   * hide others. Nulls of a sort key come last. limit() and offset() do not apply.
   */
  async page(options: PageOptions): Promise<Page<Loaded<F, L>>> {
    const keys = sortKeys(this.model, this.#order())
    const after = options.after === undefined ? undefined : fromCursor(keys, options.after)
    const before = options.before === undefined || after !== undefined ? undefined : fromCursor(keys, options.before)
    const backwards = before !== undefined
    const found = await this.#walk(keys, { from: after ?? before, backwards, rows: options.size + 1 })
    // Back at the start with less than a page: show the first page, not its remains.
    if (backwards && found.length < options.size) return this.page({ size: options.size })
    const more = found.length > options.size
    const rows = found.slice(0, options.size)
    if (backwards) rows.reverse()
    await this.#loadAll(rows)
    const cursor = (row: object | undefined) => (row === undefined ? undefined : toCursor(keys, row as Record<string, unknown>))
    return {
      rows: rows as Loaded<F, L>[],
      next: backwards || more ? cursor(rows.at(-1)) : undefined,
      previous: (backwards && more) || after !== undefined ? cursor(rows[0]) : undefined,
    }
  }

  /** Every row, `size` at a time, in constant memory: for exports and jobs. */
  async *each(size = 500): AsyncGenerator<Loaded<F, L>> {
    const keys = sortKeys(this.model, this.#order())
    let from: unknown[] | undefined
    for (;;) {
      const rows = await this.#walk(keys, { from, backwards: false, rows: size })
      const last = rows.at(-1)
      from = last === undefined ? undefined : keys.map(key => last[key.name])
      await this.#loadAll(rows)
      yield* rows as Loaded<F, L>[]
      if (rows.length < size) return
    }
  }

  async exists(): Promise<boolean> {
    // Sorted, a database may walk the wrong index to the first row that fits.
    return this.parts.offset > 0 ? (await this.limit(1).pluck("id")).length > 0 : (await this.countUpTo(1)) > 0
  }

  /** Only one column of each row. */
  async pluck<K extends keyof Row<F> & string>(key: K): Promise<Row<F>[K][]> {
    const rows: Record<string, unknown>[] = await database().read(db => this.#select(db, { [key]: database().tables.of(this.model)[key] }))
    return rows.map(row => row[key]) as Row<F>[K][]
  }

  /** Changes every row of the query; gives how many. */
  async update(patch: Patch<F>): Promise<number> {
    const { row, many } = check(this.model, patch as Record<string, unknown>, true)
    if (Object.keys(many).length > 0) throw new Error("update() of many rows cannot set relations; use Model.update(row, ...)")
    if (Object.keys(row).length === 0) return 0
    return this.#written(async db => {
      const table = database().tables.of(this.model)
      return (await db.update(table).set(row).where(this.#condition(db)).returning({ id: table.id })).length
    })
  }

  /** Deletes every row of the query; gives how many. */
  async delete(): Promise<number> {
    return this.#written(async db => {
      const table = database().tables.of(this.model)
      return (await db.delete(table).where(this.#condition(db)).returning({ id: table.id })).length
    })
  }

  async create(values: New<F>): Promise<Row<F>> {
    return (await this.createMany([values]))[0]!
  }

  /** All of them or none, in statements of at most 500 rows. */
  async createMany(values: readonly New<F>[]): Promise<Row<F>[]> {
    const checked = values.map(value => check(this.model, value as Record<string, unknown>, false))
    if (checked.length === 0) return []
    const insert = async (): Promise<Row<F>[]> => {
      const made: Row<F>[] = []
      for (let i = 0; i < checked.length; i += 500) {
        const part = checked.slice(i, i + 500)
        const rows: Row<F>[] = await this.#written(db =>
          db.insert(database().tables.of(this.model)).values(part.map(c => c.row)).returning(),
        )
        for (const [n, row] of rows.entries()) {
          for (const [key, ids] of Object.entries(part[n]!.many)) await this.#link(key, row.id, ids)
        }
        made.push(...rows)
      }
      return made
    }
    const single = checked.length === 1 && Object.keys(checked[0]!.many).length === 0
    return single ? insert() : database().transaction(insert)
  }

  async updateOne(id: number, patch: Patch<F>): Promise<Row<F>> {
    const { row, many } = check(this.model, patch as Record<string, unknown>, true)
    const change = async (): Promise<Row<F>> => {
      const table = database().tables.of(this.model)
      if (Object.keys(row).length > 0) await this.#written(db => db.update(table).set(row).where(eq(table.id, id)))
      for (const [key, ids] of Object.entries(many)) await this.#link(key, id, ids)
      return new Query<F>(this.model).get(id)
    }
    return Object.keys(many).length === 0 ? change() : database().transaction(change)
  }

  async deleteOne(id: number): Promise<void> {
    const deleted = await new Query<F>(this.model, { ...NOTHING, where: [{ id }] }).delete()
    if (deleted === 0) throw new NotFound(`no ${this.model.name} ${id}`)
  }

  async #rows(): Promise<Loaded<F, L>[]> {
    const rows: Record<string, unknown>[] = await database().read(db => this.#select(db))
    await this.#loadAll(rows)
    return rows as Loaded<F, L>[]
  }

  async #loadAll(rows: Record<string, unknown>[]): Promise<void> {
    for (const key of this.parts.load) await this.#load(key, rows)
  }

  #order(): readonly string[] {
    return this.parts.order.length > 0 ? this.parts.order : (this.model.options.order ?? [])
  }

  /** The next rows from a place on, segment by segment until there are enough. Mostly the first has them. */
  async #walk(keys: readonly SortKey[], walk: { from: readonly unknown[] | undefined; backwards: boolean; rows: number }): Promise<Record<string, unknown>[]> {
    const found: Record<string, unknown>[] = []
    for (const { where, order, sure } of segments(keys, walk.from, walk.backwards)) {
      const part = this.#with({
        where: [...this.parts.where, where],
        order,
        nulls: { place: walk.backwards ? "first" : "last", from: sure ? 1 : 0 },
        limit: walk.rows - found.length,
        offset: 0,
      })
      found.push(...(await database().read<Record<string, unknown>[]>(db => part.#select(db))))
      if (found.length >= walk.rows) break
    }
    return found
  }

  #condition(db: unknown): SQL | undefined {
    const { tables } = database()
    const site = { model: this.model as AnyModel, table: tables.of(this.model), tables, db }
    return and(...this.parts.where.map(where => toSql(where, site)))
  }

  #select(db: any, fields?: Record<string, unknown>): PromiseLike<any> {
    const table = database().tables.of(this.model)
    const keys = this.#order()
    const columns = fields ?? this.#columns(table, keys)
    let query = (columns === undefined ? db.select() : db.select(columns)).from(table).where(this.#condition(db)).$dynamic()
    if (this.parts.lock && database().dialect === "postgres") query = query.for("update")
    const { nulls } = this.parts
    // Not where there are none anyway: saying so would keep an index from being used.
    const sort = (key: string, i: number) =>
      nulls === undefined || i < nulls.from ? sortBy(table, key, this.model) : sortNulls(table, key, { model: this.model, place: nulls.place })
    query = query.orderBy(...keys.map(sort), ...(keys.some(key => /^-?id$/.test(key)) ? [] : [lastBy(table, keys)]))
    if (this.parts.limit !== undefined) query = query.limit(this.parts.limit)
    // SQLite knows OFFSET only after LIMIT.
    else if (this.parts.offset > 0) query = query.limit(Number.MAX_SAFE_INTEGER)
    return this.parts.offset > 0 ? query.offset(this.parts.offset) : query
  }

  /** What is sorted by is read in any case: a page's cursor is made of it. */
  #columns(table: Table, sorted: readonly string[]): Record<string, unknown> | undefined {
    const { omit } = this.parts
    if (omit.length === 0) return undefined
    const kept = Object.entries(getColumns(table as never)).filter(([key]) => !omit.includes(key) || sorted.includes(key) || sorted.includes(`-${key}`))
    return Object.fromEntries(kept)
  }

  async #load(key: string, rows: Record<string, unknown>[]): Promise<void> {
    const field = this.model.fields[key] as Field
    const other = target(this.model, field)
    if (field.kind === "reference") {
      const at = rowKey(key, field)
      const found = await byId(other, rows.map(row => row[at]))
      for (const row of rows) row[key] = found.get(row[at] as number) ?? null
      return
    }
    const pairs = database().tables.pairs(this.model, key)
    const ids = rows.map(row => row.id as number)
    const links: { from: number; to: number }[] = []
    for (const part of chunks(ids)) {
      links.push(...(await database().read<{ from: number; to: number }[]>(db => db.select().from(pairs).where(inArray(pairs.from, part)).orderBy(asc(pairs.to)))))
    }
    const found = await byId(other, links.map(link => link.to))
    const lists = new Map<number, unknown[]>(ids.map(id => [id, []]))
    for (const link of links) lists.get(link.from)?.push(found.get(link.to))
    for (const row of rows) row[key] = lists.get(row.id as number)
  }

  /** Makes the pairs of a `many` field be exactly these. */
  async #link(key: string, id: number, ids: readonly number[]): Promise<void> {
    const pairs = database().tables.pairs(this.model, key)
    await this.#written(db => db.delete(pairs).where(eq(pairs.from, id)))
    if (ids.length > 0) await this.#written(db => db.insert(pairs).values(ids.map(to => ({ from: id, to }))))
  }

  async #written<T>(f: (db: any) => PromiseLike<T>): Promise<T> {
    try {
      return await database().write(f)
    } catch (error) {
      throw explainConstraint(error, this.model.name, name =>
        Object.entries(this.model.fields).find(([key, field]) => column(key, (field as Field).kind === "reference") === name)?.[0],
      )
    }
  }
}

/** Ids up to which SQLite counts out. */
const COUNT_OUT = 100_000
/** Ranges of ids that are looked at in larger tables, and ids of each. */
const SAMPLES = 20
const SAMPLE = 500

function sortBy(table: Record<string, any>, key: string, model: AnyModel): SQL {
  const name = key.startsWith("-") ? key.slice(1) : key
  if (table[name] === undefined) throw new Error(`${model.name} cannot be sorted by "${name}"`)
  return key.startsWith("-") ? desc(table[name]) : asc(table[name])
}

function sortNulls(table: Record<string, any>, key: string, o: { model: AnyModel; place: "first" | "last" }): SQL {
  const by = sortBy(table, key, o.model)
  const column = table[key.replace(/^-/, "")] as { notNull: boolean }
  return column.notNull ? by : sql`${by} nulls ${sql.raw(o.place)}`
}

/** Equals come in the direction of the first key, so that one index serves both. */
function lastBy(table: Record<string, any>, keys: readonly string[]): SQL {
  return keys[0]?.startsWith("-") === true ? desc(table.id) : asc(table.id)
}

async function byId(model: AnyModel, ids: readonly unknown[]): Promise<Map<number, unknown>> {
  const wanted = [...new Set(ids.filter((id): id is number => typeof id === "number"))]
  const found = new Map<number, unknown>()
  for (const part of chunks(wanted)) {
    const table = database().tables.of(model)
    for (const row of await database().read<{ id: number }[]>(db => db.select().from(table).where(inArray(table.id, part)))) found.set(row.id, row)
  }
  return found
}

/** Databases bound the number of parameters (SQLite 32,766). */
function* chunks(ids: readonly number[], size = 1000): Generator<number[]> {
  for (let i = 0; i < ids.length; i += size) yield ids.slice(i, i + size)
}
