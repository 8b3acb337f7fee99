import type { Field } from "../field.ts"
import type { AnyModel } from "../model.ts"
import { column } from "../naming.ts"
import type { Dialect } from "../tables.ts"
import { type Migration, type NewMigration } from "./files.ts"
import { emptySnapshot, type Hint, type Question, snapshotOf, statements, Unanswered } from "./snapshot.ts"

export interface MakeOptions {
  readonly models: readonly AnyModel[]
  readonly dialect: Dialect
  readonly existing: readonly Migration[]
  readonly title?: string
  /** Answers a question, or undefined when there is nobody to ask. `from` are what the new one may have been. */
  ask(question: Question, from: readonly string[]): Promise<Hint | undefined>
  /** Value for the rows that exist when a field is needed and has no default; as SQL. */
  fill?(model: AnyModel, key: string): Promise<string | undefined>
}

/** The migration from the newest snapshot to the models, or undefined when they agree. */
export async function makeMigration(options: MakeOptions): Promise<NewMigration | undefined> {
  const { dialect, existing, models } = options
  const wrong = existing.find(migration => migration.dialect !== dialect)
  if (wrong !== undefined) throw new Error(`${wrong.name} was made for ${wrong.dialect}, the database is ${dialect}: keep a folder of migrations for each`)
  const before = existing.at(-1)?.snapshot ?? (await emptySnapshot(dialect))
  const after = await snapshotOf(models, dialect, before)
  const hints: Hint[] = []
  const up = await answered(hint => statements(before, after, { dialect, hints: hint }), hints, options)
  if (up.length === 0) return undefined
  const backwards = hints.map(reversed)
  const down = await statements(after, before, { dialect, hints: backwards }).catch(async error => {
    if (!(error instanceof Unanswered)) throw error
    const creates = error.questions.map((q): Hint => (q.type === "confirm_data_loss" ? { ...q, type: "confirm_data_loss" } : { type: "create", kind: q.kind as "column", entity: q.entity }))
    return statements(after, before, { dialect, hints: [...backwards, ...creates] })
  })
  return {
    title: options.title ?? titleOf(up, existing.length === 0),
    dialect,
    snapshot: after,
    up: await filled(up, options),
    down,
  }
}

async function answered(run: (hints: readonly Hint[]) => Promise<string[]>, hints: Hint[], options: MakeOptions): Promise<string[]> {
  for (;;) {
    try {
      return await run(hints)
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error
      for (const question of error.questions) {
        const hint = await options.ask(question, goneLike(question, options, hints))
        if (hint === undefined) throw new Error(explain(question), { cause: error })
        hints.push(hint)
      }
    }
  }
}

function explain(question: Question): string {
  const name = question.entity.slice(1).join(".")
  if (question.type === "confirm_data_loss") return `${question.kind} ${name}: rows may lose data (${question.reason ?? "see up.sql"}); run makemigrations in a terminal, or with --yes`
  return `${question.kind} ${name}: is it new, or renamed from another? Run makemigrations in a terminal, or say --rename OLD=${name} or --new ${name}`
}

/** Names that are in the newest snapshot and no longer in the models: what a new one may have been called. */
function goneLike(question: Question, options: MakeOptions, hints: readonly Hint[]): string[] {
  const entities = ((options.existing.at(-1)?.snapshot as { ddl?: { entityType: string; name: string; table?: string }[] } | undefined)?.ddl ?? [])
  const taken = new Set(hints.flatMap(hint => (hint.type === "rename" ? [hint.from.join(".")] : [])))
  if (question.kind === "table") {
    const now = new Set(options.models.map(model => model.table))
    return entities.filter(e => e.entityType === "tables" && !now.has(e.name) && !taken.has(`public.${e.name}`)).map(e => e.name)
  }
  const table = question.entity[1]!
  const renamed = hints.find(hint => hint.type === "rename" && hint.kind === "table" && hint.to[1] === table)
  const was = renamed?.type === "rename" ? renamed.from[1] : table
  const model = options.models.find(m => m.table === table)
  const now = new Set(["id", ...Object.entries((model?.fields ?? {}) as Record<string, Field>).map(([key, field]) => column(key, field.kind === "reference"))])
  return entities.filter(e => e.entityType === "columns" && e.table === was && !now.has(e.name) && !taken.has(`public.${was}.${e.name}`)).map(e => e.name)
}

function reversed(hint: Hint): Hint {
  return hint.type === "rename" ? { ...hint, from: hint.to, to: hint.from } : hint
}

/**
 * A column that is needed cannot be added to rows that lack it. They get the field's default, or what `fill` says; the
 * database keeps no default of its own after that, so that the models stay the only place of it.
 */
async function filled(up: readonly string[], options: MakeOptions): Promise<string[]> {
  const out: string[] = []
  for (const statement of up) {
    const add = /^ALTER TABLE [`"](\w+)[`"] ADD (?:COLUMN )?[`"](\w+)[`"] (.+?) NOT NULL(.*?);?$/s.exec(statement)
    if (add === null || / DEFAULT /.test(statement)) {
      out.push(statement)
      continue
    }
    const [, table, name, type, rest] = add as unknown as [string, string, string, string, string]
    const found = fieldOf(table, name, options.models)
    const value = found === undefined ? undefined : (defaultSql(found.field, options.dialect) ?? (await options.fill?.(found.model, found.key)))
    if (value === undefined) {
      throw new Error(`${table}.${name} is needed, and rows that exist have none: give the field a default, make it optional, or say --fill ${table}.${name}=VALUE`)
    }
    const quote = options.dialect === "sqlite" ? "`" : '"'
    out.push(`ALTER TABLE ${quote}${table}${quote} ADD COLUMN ${quote}${name}${quote} ${type} NOT NULL DEFAULT ${value}${rest};`)
    if (options.dialect === "postgres") out.push(`ALTER TABLE "${table}" ALTER COLUMN "${name}" DROP DEFAULT;`)
  }
  return out
}

function fieldOf(table: string, name: string, models: readonly AnyModel[]): { model: AnyModel; key: string; field: Field } | undefined {
  const model = models.find(m => m.table === table)
  const entry = Object.entries((model?.fields ?? {}) as Record<string, Field>).find(([key, field]) => column(key, field.kind === "reference") === name)
  return model === undefined || entry === undefined ? undefined : { model, key: entry[0], field: entry[1] }
}

/** A default that is a plain value, as SQL. A function's differs from row to row: that is asked for. */
function defaultSql(field: Field, dialect: Dialect): string | undefined {
  const value = field.options.default
  if (value === undefined || typeof value === "function") return undefined
  return literal(value, field, dialect)
}

/** A value as an SQL literal in the form the field's column keeps it. */
export function literal(value: unknown, field: Field, dialect: Dialect): string {
  if (typeof value === "boolean") return dialect === "sqlite" ? (value ? "1" : "0") : String(value)
  if (typeof value === "number") return String(value)
  if (value instanceof Date) return dialect === "sqlite" ? String(value.getTime()) : quoted(value.toISOString())
  if (field.kind === "decimal" && dialect === "sqlite") {
    const scale = (field.options as { scale?: number }).scale ?? 2
    return String(Math.round(Number(value) * 10 ** scale))
  }
  return quoted(typeof value === "string" ? value : JSON.stringify(value))
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function titleOf(up: readonly string[], first: boolean): string {
  if (first) return "initial"
  const made = up.map(statement => /^CREATE TABLE [`"](?!__new_)(\w+)/.exec(statement)?.[1]).find(Boolean)
  if (made !== undefined) return made
  const changed = up.map(statement => /(?:ALTER TABLE|DROP TABLE|__new_)\s*[`"]?(\w+)/.exec(statement)?.[1]).find(Boolean)
  return changed === undefined ? "change" : `alter_${changed}`
}
