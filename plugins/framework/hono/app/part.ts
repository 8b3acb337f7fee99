import type { Awaitable } from "edge"
import type { AnyModel } from "../db/model.ts"
import type { AnyApp } from "./app.ts"

/** What users(), admin() and third parties bring into an app. */
export interface Part {
  readonly name: string
  /** Their tables are migrated with the app's. */
  readonly models?: readonly AnyModel[]
  /** Adds middleware, routes, commands and hooks; runs in the app's constructor, in the order of `parts`, before the app's own routes. */
  setup(app: AnyApp): void
}

/** `edge manage APP <name>`. */
export interface AppCommand {
  readonly name: string
  readonly help: string
  /** `args` is what follows the name. A number is the exit code; a throw is told without its stack when it is a CommandError. */
  run(args: readonly string[], app: AnyApp): Awaitable<number | void>
}

/** What a command tells the person who ran it, without a stack. */
export class CommandError extends Error {
  override readonly name = "CommandError"
}

/** One finding of `edge manage APP check --deploy`. */
export interface Finding {
  readonly level: "error" | "warning"
  readonly text: string
  readonly cure: string
}
