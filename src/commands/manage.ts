/** `edge manage APP COMMAND ...`: runs a command of an app (migrate, routes, its own) in a process like a worker of it. */
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { EdgeError, errors } from "../errors.ts"
import { loadApp } from "../apps/load.ts"
import { createLogger } from "../log/logger.ts"
import type { Plan, PlannedApp } from "../generation/plan.ts"
import { become, findIdentity, isRoot } from "../system/identity.ts"
import { type ConfigSource, makePlanInChild } from "../supervisor/reload/planner.ts"
import { configFor } from "./serve.ts"

/** `argv` is all that follows `manage`: options of the command must reach it as they were written. */
export async function manage(argv: readonly string[]): Promise<number> {
  const { config, rest } = takeConfig(argv)
  if (rest.length === 0 || rest[0] === "--help" || rest[0] === "-h") {
    console.log(HELP)
    return rest.length === 0 ? 1 : 0
  }
  const { source, given } = sourceOf(config, rest)
  const plan = await makePlanInChild({ source, dev: false })
  const { app, args } = choose(plan, given)
  const { spec } = app
  if (spec.runtime !== "fetch") throw new EdgeError(errors.usage(`app ${spec.name} is run by "${spec.runtime}": use its own management commands`))
  const user = spec.user ?? plan.server.user
  // What a command writes (the database, migrations) must be the app's, not root's.
  if (user !== undefined && isRoot()) become(findIdentity(user, spec.user === undefined ? plan.server.group : spec.group))
  process.chdir(spec.dir)
  Object.assign(process.env, spec.env)
  const log = createLogger({ level: "warn", format: "text" })
  const module = await loadApp(spec, { log })
  if (module.manage === undefined) throw new EdgeError(errors.usage(`app ${spec.name} has no commands: they come with \`export default new App(...)\` of "edge/app"`))
  return module.manage(args)
}

const HELP = `Usage: edge manage [-c <file>] <app> <command> [options]

  <app>      name of an app in the config, or without a config its file: edge manage app.tsx migrate
             may be left out when there is one app only
  <command>  edge manage <app> shows which there are

  -c, --config <file>  the config (default: site.toml)`

function takeConfig(argv: readonly string[]): { config: string | undefined; rest: readonly string[] } {
  const [first = "", second] = argv
  if (first === "-c" || first === "--config") {
    if (second === undefined) throw new EdgeError(errors.usage(`${first} needs the name of a file`))
    return { config: second, rest: argv.slice(2) }
  }
  if (first.startsWith("--config=")) return { config: first.slice("--config=".length), rest: argv.slice(1) }
  return { config: undefined, rest: argv }
}

/** An entry file stands for a config with that one app. */
function sourceOf(config: string | undefined, given: readonly string[]): { source: ConfigSource; given: readonly string[] } {
  const [app = ""] = given
  if (config === undefined && /\.[cm]?[jt]sx?$/.test(app) && existsSync(app)) {
    const { text, dir } = configFor(app, { listen: "127.0.0.1:0", cwd: process.cwd() })
    return { source: { file: resolve(dir, "edge manage"), text }, given: ["app", ...given.slice(1)] }
  }
  return { source: { file: resolve(config ?? "site.toml") }, given }
}

function choose({ apps }: Plan, given: readonly string[]): { app: PlannedApp; args: readonly string[] } {
  const named = apps.find(app => app.spec.name === given[0])
  if (named !== undefined) return { app: named, args: given.slice(1) }
  if (apps.length === 1) return { app: apps[0]!, args: given }
  throw new EdgeError(errors.noApp(given[0]!, apps.map(app => app.spec.name)))
}
