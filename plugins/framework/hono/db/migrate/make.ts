import type { Field } from "../field.ts"
import type { AnyModel } from "../model.ts"
import type { Dialect } from "../tables.ts"
import { changesOf } from "./changes.ts"
import type { Migration, NewMigration } from "./files.ts"
import { fromLegacy, isLegacy } from "./legacy.ts"
import { literal } from "./literal.ts"
import { postgresStatements } from "./postgres.ts"
import { type Ask, findRenames, renamed, type Renames, reversed, Unanswered } from "./renames.ts"
import { type ColumnShape, EMPTY, fieldAt, type Form, type Schema, schemaOf, type TableShape } from "./schema.ts"
import { lost, type Step } from "./sql.ts"
import { sqliteStatements } from "./sqlite.ts"
import { kindType } from "./forms.ts"

export interface MakeOptions {
  readonly models: readonly AnyModel[]
  readonly dialect: Dialect
  readonly existing: readonly Migration[]
  readonly title?: string
  readonly ask: Ask
  /** Value for the rows that exist when a field is needed and has no default; as SQL. */
  fill?(model: AnyModel, key: string): Promise<string | undefined>
}

/** The migration from the newest snapshot to the models, or undefined when they agree. */
export async function makeMigration(options: MakeOptions): Promise<NewMigration | undefined> {
  const { dialect, existing, models } = options
  const wrong = existing.find(migration => migration.dialect !== dialect)
  if (wrong !== undefined) throw new Error(`${wrong.name} was made for ${wrong.dialect}, the database is ${dialect}: keep a folder of migrations for each`)
  const after = schemaOf(models, dialect)
  const { schema: before, renames, learned } = await begin(options, after)
  const uncertainNames = isLegacy(before)
  const moved = renamed(before, renames)
  const forwards = { before, moved, after, renames, uncertainNames, changes: changesOf(moved, after) }
  const up = await upwards(forwards, options)
  if (up.length === 0 && !learned) return undefined
  const back = reversed(renames)
  const returned = renamed(after, back)
  const backwards: Step = { before: after, moved: returned, after: before, renames: back, uncertainNames: false, changes: changesOf(returned, before), fills: new Map() }
  const down = downwards(backwards, options)
  return {
    title: options.title ?? titleOf(up, existing.length === 0),
    dialect,
    snapshot: after,
    up: up.length > 0 ? up : ["-- Nothing changes in the database: snapshot.json says now how many digits the rows have after the point.\nSELECT 1;"],
    down: down.length > 0 ? down : ["SELECT 1;"],
    lost: lost({ ...forwards, fills: new Map() }),
  }
}

/** Statements that make all tables of these models in an empty database. */
export function createStatements(models: readonly AnyModel[], dialect: Dialect): string[] {
  const after = schemaOf(models, dialect)
  const step: Step = { before: EMPTY, moved: EMPTY, after, renames: { tables: new Map(), columns: new Map() }, changes: changesOf(EMPTY, after), fills: new Map(), uncertainNames: false }
  return statements(step, dialect)
}

function statements(step: Step, dialect: Dialect): string[] {
  return dialect === "sqlite" ? sqliteStatements(step) : postgresStatements(step)
}

interface Start {
  readonly schema: Schema
  readonly renames: Renames
  /** Something was asked that only the snapshot can keep. */
  readonly learned: boolean
}

async function begin({ existing, dialect, ask }: MakeOptions, after: Schema): Promise<Start> {
  const snapshot = existing.at(-1)?.snapshot as Schema | { readonly ddl: readonly object[] } | undefined
  if (snapshot === undefined || "tables" in snapshot) {
    const schema = snapshot ?? EMPTY
    return { schema, renames: await findRenames(schema, after, ask), learned: false }
  }
  const legacy = fromLegacy(snapshot.ddl, dialect)
  const renames = await findRenames(legacy, after, ask)
  const { schema, learned } = await adopt(legacy, { after, renames, dialect, ask })
  return { schema, renames, learned }
}

/** What an older snapshot leaves unsaid is taken to be what the models say; but for a decimal's digits, which are asked for. */
async function adopt(legacy: Schema, o: { after: Schema; renames: Renames; dialect: Dialect; ask: Ask }): Promise<{ schema: Schema; learned: boolean }> {
  let learned = false
  const tables: Record<string, TableShape> = {}
  for (const [name, table] of Object.entries(legacy.tables)) {
    const now = o.renames.tables.get(name) ?? name
    const columns: Record<string, ColumnShape> = {}
    for (const [column, shape] of Object.entries(table.columns)) {
      const current = o.renames.columns.get(now)?.get(column) ?? column
      const form = o.after.tables[now]?.columns[current]?.form
      const said = await formSaid(shape.form, form, { ...o, entity: ["public", now, current] })
      if (said.asked) learned = true
      columns[column] = { ...shape, form: said.form }
    }
    tables[name] = { ...table, columns }
  }
  return { schema: { ...legacy, tables }, learned }
}

async function formSaid(was: string, now: Form | undefined, o: { dialect: Dialect; ask: Ask; entity: readonly string[] }): Promise<{ form: Form; asked: boolean }> {
  if (!was.endsWith("?")) return { form: was as Form, asked: false }
  const plain = was.slice(0, -1) as Form
  if (now === undefined || kindType(now, o.dialect) !== plain) return { form: plain, asked: false }
  if (!now.startsWith("decimal")) return { form: now, asked: false }
  const model = Number(/\d+/.exec(now)![0])
  const hint = await o.ask({ type: "scale", kind: "column", entity: o.entity, now: model }, [])
  const name = o.entity.slice(1).join(".")
  if (hint?.type !== "scale") throw new Unanswered(`${name}: the snapshot does not say how many digits after the point its rows have. Run makemigrations in a terminal, or say --scale ${name}=${model} when that is as the rows are (--scale ${name}=none when they are whole numbers)`)
  return { form: Number.isNaN(hint.scale) ? "integer" : `decimal(${hint.scale})`, asked: true }
}

async function upwards(step: Omit<Step, "fills">, options: MakeOptions): Promise<string[]> {
  const fills = new Map<string, string>()
  for (const change of step.changes.changed) {
    const lacking = change.altered.filter(({ needed, after }) => needed && after.needed).map(({ name }) => name)
    for (const name of [...change.added.filter(added => change.after.columns[added]!.needed), ...lacking]) {
      const found = fieldAt(options.models, change.name, name)
      const fill = found === undefined ? undefined : (defaultSql(found.field, options.dialect) ?? (await options.fill?.(found.model, found.key)))
      if (fill !== undefined) fills.set(`${change.name}.${name}`, fill)
      else if (!lacking.includes(name)) {
        throw new Error(`${change.name}.${name} is needed, and rows that exist have none: give the field a default, make it optional, or say --fill ${change.name}.${name}=VALUE`)
      }
    }
  }
  return statements({ ...step, fills }, options.dialect)
}

/**
 * Values that the way up took are gone: on the way down rows get the field's default, or an empty value, and the
 * statements say so first. Nothing can be made up for a reference: then there must be no rows.
 */
function downwards(step: Step, options: MakeOptions): string[] {
  const fills = new Map<string, string>()
  const notes: string[] = []
  for (const change of step.changes.changed) {
    const lacking = change.altered.filter(({ needed, after }) => needed && after.needed).map(({ name }) => name)
    for (const name of [...change.added, ...lacking]) {
      const shape = change.after.columns[name]!
      const unique = Object.values(change.after.indexes).some(index => index.unique && index.columns.join() === name)
      const fill = shape.needed ? (unique ? uniqueFill(shape.form, options.dialect) : shape.fill) : undefined
      if (fill !== undefined) fills.set(`${change.name}.${name}`, fill)
      const where = lacking.includes(name) ? "rows without a value get" : "the values are gone; rows get"
      if (!lacking.includes(name) || fill !== undefined) notes.push(`-- lost: ${change.name}.${name}: ${where} ${fill ?? (shape.needed ? "nothing, there must be none" : "NULL")}`)
    }
  }
  const down = statements({ ...step, fills }, options.dialect)
  return notes.length === 0 || down.length === 0 ? down : [`${notes.join("\n")}\n${down[0]!}`, ...down.slice(1)]
}

/** Each row another value, made of its id. */
function uniqueFill(form: Form, dialect: Dialect): string | undefined {
  const id = dialect === "sqlite" ? "`id`" : '"id"'
  if (form === "text") return `CAST(${id} AS text)`
  if (form === "integer" || form === "number") return id
  if (!form.startsWith("decimal")) return undefined
  return dialect === "sqlite" ? `${id} * ${10n ** BigInt(/\d+/.exec(form)![0])}` : id
}

/** A default that is a plain value, as SQL. A function's differs from row to row: that is asked for. */
function defaultSql(field: Field, dialect: Dialect): string | undefined {
  const value = field.options.default
  if (value === undefined || typeof value === "function") return undefined
  return literal(value, field, dialect)
}

function titleOf(up: readonly string[], first: boolean): string {
  if (first) return "initial"
  const made = up.map(statement => /^CREATE TABLE [`"](?!__new_)(\w+)/.exec(statement)?.[1]).find(Boolean)
  if (made !== undefined) return made
  const changed = up.map(statement => /(?:ALTER TABLE|DROP TABLE|__new_)\s*[`"]?(\w+)/.exec(statement)?.[1]).find(Boolean)
  return changed === undefined ? "change" : `alter_${changed}`
}
