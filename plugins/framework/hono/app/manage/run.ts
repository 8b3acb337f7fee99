import { rootCause } from "../../db/errors.ts"
import { refuseMisread } from "../../db/migrate/misread.ts"
import type { AnyApp, Boot } from "../app.ts"
import { standingOf } from "../migrations.ts"
import { behind } from "../open.ts"
import { type AppCommand, CommandError } from "../part.ts"
import { backup } from "./backup.ts"
import { check } from "./check.ts"
import { makemigrations } from "./makemigrations.ts"
import { migrate } from "./migrate.ts"
import { rollback } from "./rollback.ts"
import { routes } from "./routes.ts"
import { shell } from "./shell.ts"

const builtIn: readonly AppCommand[] = [migrate, makemigrations, rollback, routes, shell, check, backup]
/** They ask no rows of the models: what they are for is a database that does not fit them. */
const withoutRows: readonly AppCommand[] = [migrate, makemigrations, rollback, routes, check, backup]

/** Starts the app as far as commands need it, runs one, stops it. Gives the exit code. */
export async function runCommand(app: AnyApp, argv: readonly string[], boot: Boot): Promise<number> {
  const all = [...builtIn, ...app.commands]
  const [name, ...args] = argv
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(list(all, boot.name))
    return name === undefined ? 1 : 0
  }
  // An app may replace a built-in command by its own.
  const command = all.findLast(one => one.name === name)
  if (command === undefined) {
    console.error(`there is no command "${name}"\n\n${list(all, boot.name)}`)
    return 1
  }
  if (args.includes("--help")) {
    console.log(`edge manage ${boot.name} ${name}: ${command.help}`)
    return 0
  }
  try {
    await app.boot({ ...boot, command: true })
    if (!withoutRows.includes(command)) await refuseRows(app)
    return (await app.run(() => command.run(args, app))) ?? 0
  } catch (error) {
    console.error((await missingTables(app, error)) ?? wordsOf(error))
    return 1
  } finally {
    if (app.isBooted) await app.shutdown()
  }
}

/** Rows that the models would misread are not given to a command. */
async function refuseRows(app: AnyApp): Promise<void> {
  const { all, waiting } = await standingOf(app)
  refuseMisread(app.models, all[all.length - waiting.length - 1], app.booted.name)
}

/** A table or column that is not there, because migrations wait: what to do, instead of what the database says. */
async function missingTables(app: AnyApp, error: unknown): Promise<string | undefined> {
  const cause = rootCause(error)
  if (!app.isBooted || cause === undefined || !(/^no such (?:table|column)/.test(cause.message) || cause.errno === "42P01" || cause.errno === "42703")) return undefined
  const { name } = app.booted
  const { waiting, all } = await standingOf(app).catch(() => ({ waiting: [], all: [undefined] }))
  if (all.length === 0) return `there are no tables yet (${cause.message}): edge manage ${name} makemigrations, then edge manage ${name} migrate`
  return waiting.length === 0 ? undefined : `${behind(waiting.map(migration => migration.name), name)} (${cause.message})`
}

function list(commands: readonly AppCommand[], app: string): string {
  const shown = new Map(commands.map(command => [command.name, command.help]))
  const width = Math.max(...[...shown.keys()].map(name => name.length))
  const lines = [...shown].map(([name, help]) => `  ${name.padEnd(width)}  ${help}`)
  return `Commands of ${app}:\n${lines.join("\n")}`
}

/** What a person did wrong is said in words; what the program did wrong, with its stack. */
function wordsOf(error: unknown): string {
  if (error instanceof CommandError) return error.message
  if (String((error as { code?: unknown } | null)?.code).startsWith("ERR_PARSE_ARGS")) return (error as Error).message
  if (!(error instanceof Error)) return String(error)
  const ours = error.name === "Error" || error.name === "ValidationError" || error.name === "NotFound"
  return ours && !/ is not (?:a function|defined|iterable)/.test(error.message) ? `${error.message}` : (error.stack ?? error.message)
}
