/** argv -> command. The only file that ends the process. */
import type { Command } from "commander"
import { EdgeError, errors } from "./errors.ts"

/** What every command file exports. A number is the exit code. */
interface CommandFile<O = Record<string, unknown>> {
  run(options: O, args: readonly string[]): Promise<number | void>
}

/** Processes that edge starts of itself; they skip the command line parser, as every millisecond of a front counts. */
const hidden: Readonly<Record<string, () => Promise<{ run(argv: readonly string[]): Promise<number> }>>> = {
  __apart: () => import("./processes/apart.ts"),
  __certificates: () => import("./processes/certificates.ts"),
  __check: () => import("./processes/check.ts"),
  __exec: () => import("./processes/exec.ts"),
  __gateway: () => import("./processes/gateway.ts"),
  __hooks: () => import("./processes/hooks.ts"),
  __front: () => import("./processes/front.ts"),
  __worker: () => import("./processes/worker.ts"),
}

interface Entry {
  /** Its file, loaded when called. */
  load(): Promise<CommandFile<never>>
  /** What the command line gives it. */
  describe(command: Command): Command
}

const commands: Readonly<Record<string, Entry>> = {
  run: {
    load: () => import("./commands/run.ts"),
    describe: c => running(c.description("serve in the foreground (the default command)")),
  },
  check: {
    load: () => import("./commands/check.ts"),
    describe: c =>
      withConfig(c.description("check a config: every key, every plugin; opens no sockets"))
        .option("--apps", "also start one worker of each app, and stop it again")
        .option("--dump", "print the config in force, defaults and variables filled in")
        .option("--json", "print the problems as JSON, for editors"),
  },
  dev: {
    load: () => import("./commands/dev.ts"),
    describe: c => running(c.description("serve while you write: reload on save, readable errors in the browser")),
  },
  serve: {
    load: () => import("./commands/serve.ts"),
    describe: c =>
      c
        .description("serve without a config: a folder, an app.ts, or module:callable of Python")
        .argument("<what>", "folder, file or module:callable")
        .option("-l, --listen <address>", "where to listen; a port alone is one of 127.0.0.1", "127.0.0.1:8080")
        .option("--dev", "reload on save"),
  },
  reload: {
    load: () => import("./commands/reload.ts"),
    describe: c => controlling(c.description("take up the config anew; all fronts or none")).option("--apps", "roll the apps too"),
  },
  stop: {
    load: () => import("./commands/stop.ts"),
    describe: c => controlling(c.description("stop gracefully")).option("--now", "cut what is in flight"),
  },
  status: {
    load: () => import("./commands/status.ts"),
    describe: c => controlling(c.description("addresses, fronts and apps")).option("--json", "as JSON"),
  },
  workers: {
    load: () => import("./commands/workers.ts"),
    describe: c =>
      controlling(c.description("the workers of every app"))
        .option("--stack", "and what each is doing now")
        .option("--json", "as JSON"),
  },
  scale: {
    load: () => import("./commands/scale.ts"),
    describe: c => controlling(c.description("how many workers an app has").argument("<app>").argument("<workers>")),
  },
  cache: {
    load: () => import("./commands/cache.ts"),
    describe: c => controlling(c.description("hits, misses and memory of the caches")).option("--json", "as JSON"),
  },
  purge: {
    load: () => import("./commands/purge.ts"),
    describe: c =>
      controlling(c.description("forget answers of the cache: URLs, prefixes, tags or all").argument("[urls...]"))
        .option("--prefix <url...>", "all that begins so")
        .option("--tag <tag...>", "all with the tag (Surrogate-Key, Cache-Tag)")
        .option("--all", "everything"),
  },
  hash: {
    load: () => import("./commands/hash.ts"),
    describe: c => c.description("hash a password for basic_auth; asks for it, or reads it from a pipe").option("-u, --user <name>", "print NAME:HASH, a line of an htpasswd file"),
  },
  upstream: {
    load: () => import("./commands/upstream.ts"),
    describe: c =>
      controlling(c.description("upstreams of proxies: see and change them while edge runs, until the next reload"))
        .usage("[list | add URL | remove URL | drain URL | undrain URL | weigh URL N]")
        .argument("[what]", "list, add, remove, drain, undrain or weigh", "list")
        .argument("[url]")
        .argument("[weight]")
        .option("--to <proxy>", "which proxy: its name, or its place in the config")
        .option("--weight <n>", "of one that is added")
        .option("--backup", "add it as a backup")
        .option("--json", "as JSON"),
  },
  new: {
    load: () => import("./commands/new.ts"),
    describe: c => c.description("start an app: a folder with a config, an app and its test").argument("<name>"),
  },
  manage: {
    // Runs before the parser of the command line: what follows belongs to the app.
    load: () => Promise.reject(new Error("not reached")),
    describe: c => c.description("commands of an app: migrate, makemigrations, routes, shell, its own").argument("<app>").argument("[command...]"),
  },
  plugin: {
    load: () => import("./commands/plugin.ts"),
    describe: c =>
      c
        .description("start a plugin: a folder with the plugin, its test and a config that uses it")
        .usage("new <name> [--kind <kind>]")
        .argument("<new>")
        .argument("<name>")
        .option("--kind <kind>", "middleware or handler", "middleware"),
  },
  test: {
    load: () => import("./commands/test.ts"),
    describe: c => c.description("run *.test.ts of apps and plugins").argument("[files...]"),
  },
  schema: {
    load: () => import("./commands/schema.ts"),
    describe: c =>
      c.description("JSON Schema of site.toml, for editors").option("-c, --config <file>", "with the plugins of this config"),
  },
  adapt: {
    load: () => import("./commands/adapt.ts"),
    describe: c =>
      c
        .description("make a site.toml of a foreign config: gunicorn.conf.py, uwsgi.ini")
        .argument("<file>")
        .option("--from <kind>", "what the file is, when its name does not say it")
        .option("--to <file>", "write it there instead of to standard output"),
  },
  tls: {
    load: () => import("./commands/tls.ts"),
    describe: c =>
      withConfig(c.description("certificates that edge keeps: see, renew, revoke, export them, import those of certbot or Caddy"))
        .usage("[list | renew NAME | revoke NAME | export NAME FOLDER | import FOLDER]")
        .argument("[what]", "list, renew, revoke, import or export", "list")
        .argument("[name]")
        .argument("[folder]")
        .option("--reason <reason>", "of a revocation: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation")
        .option("--json", "the list as JSON"),
  },
  trust: {
    load: () => import("./commands/trust.ts"),
    describe: c => withConfig(c.description('make this machine trust the authority of tls = "internal"')).option("--print", "print its root and change nothing"),
  },
  types: {
    load: () => import("./commands/types.ts"),
    describe: c => c.description("type declarations for apps and plugins").option("--to <folder>", "where to", ".edge/types"),
  },
  version: {
    load: () => import("./commands/version.ts"),
    describe: c => c.description("version of edge, of Bun, and the commit"),
  },
}

function withConfig(command: Command): Command {
  return command.option("-c, --config <file>", "the config", "site.toml")
}

function controlling(command: Command): Command {
  return withConfig(command).option("--control <socket>", "the control socket, instead of the config's")
}

function running(command: Command): Command {
  return withConfig(command).option("--control <socket>", "where to put the control socket, instead of the config's")
}

async function main(argv: readonly string[]): Promise<number> {
  const [first] = argv
  const inner = first === undefined ? undefined : hidden[first]
  if (inner !== undefined) return (await inner()).run(argv.slice(1))
  if (first !== undefined && !first.startsWith("-") && !Object.hasOwn(commands, first) && first !== "help") {
    throw new EdgeError(errors.noCommand(first, Object.keys(commands)))
  }
  // Help of a command is the parser's own; of anything else it is the reference's.
  if (first === "help" && argv[1] !== undefined && !Object.hasOwn(commands, argv[1])) {
    await (await import("./commands/help.ts")).run({}, argv.slice(1))
    return 0
  }
  if (first === "manage") return (await import("./commands/manage.ts")).manage(argv.slice(1))
  return dispatch(argv)
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { Command, CommanderError } = await import("commander")
  const { edgeVersion } = await import("./version.ts")
  const program = new Command("edge").description("web server, application server and framework in one executable").version(edgeVersion).exitOverride()
  let code = 0
  for (const [name, { load, describe }] of Object.entries(commands)) {
    describe(program.command(name, { isDefault: name === "run" })).action(async (...given: unknown[]) => {
      const command = given.pop() as Command
      const file = (await load()) as CommandFile
      code = (await file.run(command.opts(), command.args)) ?? 0
    })
  }
  try {
    await program.parseAsync([...argv], { from: "user" })
  } catch (error) {
    // It has said what is wrong (or the help that was asked for) already.
    if (error instanceof CommanderError) return error.exitCode
    throw error
  }
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
