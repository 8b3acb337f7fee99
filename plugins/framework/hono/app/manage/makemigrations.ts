import * as v from "valibot"
import { writeMigration } from "../../db/migrate/files.ts"
import { literal } from "../../db/migrate/literal.ts"
import { makeMigration } from "../../db/migrate/make.ts"
import type { Hint, Question } from "../../db/migrate/renames.ts"
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
  scale: { type: "string", multiple: true },
  yes: { type: "boolean" },
} as const

export const makemigrations: AppCommand = {
  name: "makemigrations",
  help: "writes the step from the last migration to the models; --name; without a terminal: --rename OLD=NEW, --new NAME, --fill TABLE.COLUMN=VALUE, --yes (nothing is asked about what is dropped)",
  async run(args, app) {
    const { values } = options(args, known)
    const { dir, all } = await standingOf(app)
    const answers: Answers = { rename: pairs(values.rename), fresh: new Set(values.new), fill: pairs(values.fill), scale: pairs(values.scale) }
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
    if (made.lost.length > 0 && values.yes !== true && isInteractive()) {
      const answer = await ask(`Values are lost when it is applied: ${made.lost.join(", ")}. Go on? y/N: `)
      if (!/^y/i.test(answer)) throw new CommandError("nothing was written")
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
  /** Digits after the point that rows have, where an older snapshot does not say; "none" for whole numbers. */
  readonly scale: ReadonlyMap<string, string>
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
  if (question.type === "scale") return scaleOf(question, name, answers)
  const { kind } = question
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
  const checked = v.safeParse(field.schema, valueOf(given, field))
  if (!checked.success) throw new CommandError(`--fill ${name}=${given}: ${checked.issues[0].message}`)
  return literal(checked.output, field, app.database.dialect)
}

async function scaleOf(question: Question & { type: "scale" }, name: string, answers: Answers): Promise<Hint | undefined> {
  const { kind, entity, now } = question
  const given = answers.scale.get(name) ?? (isInteractive() ? await ask(`${name}: how many digits after the point do the rows have that exist? (${now}; none: they are whole numbers): `) : undefined)
  if (given === undefined) return undefined
  if (given !== "none" && given !== "" && !/^\d{1,2}$/.test(given)) throw new CommandError(`--scale ${name}=${given}: a number of digits, or none`)
  return { type: "scale", kind, entity, scale: given === "none" ? Number.NaN : given === "" ? now : Number(given) }
}

/** As it is typed; the field's schema has the last word. */
function valueOf(text: string, field: Field): unknown {
  if (field.kind === "boolean") return /^(?:true|yes|1)$/i.test(text) ? true : /^(?:false|no|0)$/i.test(text) ? false : text
  if (field.kind === "integer" || field.kind === "number" || field.kind === "reference") return text.trim() === "" ? text : Number(text)
  if (field.kind === "datetime") {
    const date = new Date(text)
    if (Number.isNaN(date.getTime())) throw new CommandError(`"${text}" is not a date: write 2026-11-23T10:00:00Z`)
    return date
  }
  if (field.kind !== "json") return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new CommandError(`"${text}" is not JSON: a text is written as '"text"'`)
  }
}
