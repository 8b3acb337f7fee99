/** argv -> command. The only file that ends the process. */
import type { Command } from "commander"
import { EdgeError, errors } from "./errors.ts"

/** What every command file exports. A number is the exit code. */
interface CommandFile<O = Record<string, unknown>> {
  run(options: O, args: readonly string[]): Promise<number | void>
}

/** Processes that edge starts of itself; they skip the command line parser, as every millisecond of a front counts. */
const hidden: Readonly<Record<string, () => Promise<{ run(argv: readonly string[]): Promise<number | void> }>>> = {
  __front: () => import("./front.ts"),
  __check: () => import("./check-child.ts"),
  __worker: () => import("./worker.ts"),
}

type Load = () => Promise<CommandFile<never>>

/** Name -> its file, loaded when called, and what the command line gives it. */
const commands: Readonly<Record<string, { load: Load; describe(command: Command): Command }>> = {
  run: {
    load: () => import("./commands/run.ts"),
    describe: c => withControl(withConfig(c, "serve in the foreground (the default)")),
  },
  dev: {
    load: () => import("./commands/dev.ts"),
    describe: c => withControl(withConfig(c, "serve, reload on save, show errors in the browser")),
  },
  reload: {
    load: () => import("./commands/reload.ts"),
    describe: c =>
      withControl(withConfig(c, "take up a changed config; all or nothing"))
        .option("--apps", "replace the workers of every app too, one at a time"),
  },
  stop: {
    load: () => import("./commands/stop.ts"),
    describe: c =>
      withControl(withConfig(c, "finish the requests in flight and stop"))
        .option("--now", "do not wait for them"),
  },
  status: {
    load: () => import("./commands/status.ts"),
    describe: c =>
      withControl(withConfig(c, "what is running: addresses, fronts, apps"))
        .option("--json", "for programs"),
  },
  workers: {
    load: () => import("./commands/workers.ts"),
    describe: c =>
      withControl(withConfig(c, "the workers of every app"))
        .option("--stack", "with what each of them is doing")
        .option("--json", "for programs"),
  },
  scale: {
    load: () => import("./commands/scale.ts"),
    describe: c =>
      withControl(withConfig(c, "set the number of workers of an app, until the next start"))
        .argument("<app>")
        .argument("<workers>"),
  },
  check: {
    load: () => import("./commands/check.ts"),
    describe: c =>
      withConfig(c, "check a config: every key, every plugin; opens no sockets")
        .option("--apps", "also start one worker of each app, and stop it again")
        .option("--dump", "print the config in force, defaults and variables filled in")
        .option("--json", "print the problems as JSON, for editors"),
  },
  version: {
    load: () => import("./commands/version.ts"),
    describe: c => c.description("version of edge, of Bun, and the commit"),
  },
}

function withConfig(command: Command, description: string): Command {
  return command.description(description).option("-c, --config <file>", "the config", "site.toml")
}

function withControl(command: Command): Command {
  return command.option("--control <socket>", "the control socket; default the one of the config")
}

async function main(argv: readonly string[]): Promise<number> {
  const [first] = argv
  const inner = first === undefined ? undefined : hidden[first]
  if (inner !== undefined) return (await (await inner()).run(argv.slice(1))) ?? 0
  if (first !== undefined && /^[a-z]/.test(first) && !(first in commands) && first !== "help") {
    throw new EdgeError(errors.noCommand(first, Object.keys(commands)))
  }
  return dispatch(argv)
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { Command } = await import("commander")
  const program = new Command("edge").description("web server, application server and framework in one executable")
  let code = 0
  for (const [name, { load, describe }] of Object.entries(commands)) {
    describe(program.command(name, { isDefault: name === "run" })).action(async (...given: unknown[]) => {
      const command = given.pop() as Command
      const file = (await load()) as CommandFile
      code = (await file.run(command.opts(), command.args)) ?? 0
    })
  }
  await program.parseAsync([...argv], { from: "user" })
  return code
}

function tell(error: unknown): void {
  if (error instanceof EdgeError) console.error(error.message)
  else console.error("this is a defect in edge:", error)
}

main(process.argv.slice(2)).then(
  code => process.exit(code),
  (error: unknown) => {
    tell(error)
    process.exit(1)
  },
)
