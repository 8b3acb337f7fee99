import { writeMigration } from "../../db/migrate/files.ts"
import { literal, makeMigration } from "../../db/migrate/make.ts"
import type { Hint, Question } from "../../db/migrate/snapshot.ts"
import type { Field } from "../../db/field.ts"
import type { AnyModel } from "../../db/model.ts"
import { column } from "../../db/naming.ts"
import type { AnyApp } from "../app.ts"
import { CommandError, type AppCommand } from "../part.ts"
import { options } from "./args.ts"
import { standingOf } from "../migrations.ts"
import { ask, choose, isInteractive } from "./terminal.ts"

const known = {
  name: { type: "string" },
  rename: { type: "string", multiple: true },
  new: { type: "string", multiple: true },
  fill: { type: "string", multiple: true },
  yes: { type: "boolean" },
} as const

export const makemigrations: AppCommand = {
  name: "makemigrations",
  help: "writes the step from the last migration to the models; --name; without a terminal: --rename OLD=NEW, --new NAME, --fill TABLE.COLUMN=VALUE, --yes",
  async run(args, app) {
    const { values } = options(args, known)
    const { dir, all } = await standingOf(app)
    const answers: Answers = { rename: pairs(values.rename), fresh: new Set(values.new), fill: pairs(values.fill), yes: values.yes === true }
    const made = await makeMigration({
      models: app.models,
      dialect: app.database.dialect,
      existing: all,
      ...(values.name !== undefined && { title: values.name }),
      ask: (question, from) => answer(question, from, answers),
      fill: (model, key) => fill(model, key, { answers, app }),
    })
    if (made === undefined) {
      console.log("no changes")
      return 0
    }
    const name = writeMigration(dir, made)
    console.log(`wrote migrations/${name}/up.sql:\n`)
    for (const statement of made.up) console.log(`  ${statement.replaceAll("\n", "\n  ")}`)
    console.log(`\nRead it, then: edge manage ${app.booted.name} migrate`)
    return 0
  },
}

/** What was said on the command line. */
interface Answers {
  readonly rename: ReadonlyMap<string, string>
  readonly fresh: ReadonlySet<string>
  readonly fill: ReadonlyMap<string, string>
  readonly yes: boolean
}

function pairs(given: readonly string[] | undefined): Map<string, string> {
  return new Map(
    (given ?? []).map(text => {
      const cut = text.indexOf("=")
      if (cut < 1) throw new CommandError(`"${text}" must be written as NAME=VALUE`)
      return [text.slice(0, cut), text.slice(cut + 1)]
    }),
  )
}

/** Entities are [schema, table, column?]; people say "post.title", or "post" for a table. */
async function answer(question: Question, from: readonly string[], answers: Answers): Promise<Hint | undefined> {
  const name = question.entity.slice(1).join(".")
  const kind = question.kind as "table" | "column"
  if (question.type === "confirm_data_loss") {
    const yes = answers.yes || (isInteractive() && /^y/i.test(await ask(`${question.kind} ${name}: rows may lose data (${question.reason ?? "see up.sql"}). Go on? y/N: `)))
    return yes ? { type: "confirm_data_loss", kind: question.kind, entity: question.entity } : undefined
  }
  const create: Hint = { type: "create", kind, entity: question.entity }
  const renamed = (old: string): Hint => ({ type: "rename", kind, from: [...question.entity.slice(0, -1), old], to: question.entity })
  if (answers.fresh.has(name)) return create
  for (const [old, now] of answers.rename) if (now === name || (now === question.entity.at(-1) && from.includes(lastOf(old)))) return renamed(lastOf(old))
  if (from.length === 0) return create
  if (!isInteractive()) return undefined
  const i = await choose(`${kind} ${name} is new. Is it`, ["new", ...from.map(old => `renamed from ${old}`)])
  return i === 0 ? create : renamed(from[i - 1]!)
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1)
}

/** The value, as SQL, that rows which exist get in a field that is needed. */
async function fill(model: AnyModel, key: string, { answers, app }: { answers: Answers; app: AnyApp }): Promise<string | undefined> {
  const field = model.fields[key] as Field
  const name = `${model.table}.${column(key, field.kind === "reference")}`
  const given = answers.fill.get(name) ?? (isInteractive() ? await ask(`${name} is needed, and rows that exist have none. Their value: `) : undefined)
  if (given === undefined || given === "") return undefined
  return literal(valueOf(given, field), field, app.database.dialect)
}

function valueOf(text: string, field: Field): unknown {
  if (field.kind === "boolean") return /^(?:true|yes|1)$/i.test(text)
  if (field.kind === "integer" || field.kind === "number" || field.kind === "reference") {
    const number = Number(text)
    if (Number.isNaN(number)) throw new CommandError(`"${text}" is not a number`)
    return number
  }
  if (field.kind === "datetime") {
    const date = new Date(text)
    if (Number.isNaN(date.getTime())) throw new CommandError(`"${text}" is not a date: write 2026-11-23T10:00:00Z`)
    return date
  }
  return text
}
