/** `edge check`: parse, validate and set up everything; open nothing. */
import type { Config } from "../config/config.ts"
import { dumpConfig } from "../config/dump.ts"
import { loadConfig } from "../config/load.ts"
import { formatPath } from "../config/path.ts"
import { ConfigError, errors, showFile } from "../errors.ts"
import { type Generation, setUp } from "../generation.ts"
import { createLogger, type Logger } from "../log/logger.ts"
import { makePlan } from "../plan.ts"

interface Options {
  readonly config: string
  readonly apps?: boolean
  readonly dump?: boolean
  readonly json?: boolean
}

export async function run(options: Options): Promise<number> {
  try {
    return await check(options)
  } catch (error) {
    if (options.json !== true || !(error instanceof ConfigError)) throw error
    console.log(JSON.stringify(error.problems, null, 2))
    return 1
  }
}

async function check(options: Options): Promise<number> {
  const log = createLogger({ level: "warn", format: "text" })
  const config = await loadConfig(options.config)
  const generation = await setUp(config, { log, dev: false })
  if (options.apps === true) await bootApps(config, generation, log)
  if (options.dump === true) console.log(dumpConfig(config, generation.parts))
  else if (options.json === true) console.log("[]")
  else console.log(summary(config, generation))
  return 0
}

/** Loaded only when asked for: the rest of `check` starts no process. */
async function bootApps(config: Config, generation: Generation, log: Logger): Promise<void> {
  const { bootOnce } = await import("../supervisor/boot-once.ts")
  const plan = makePlan(generation, config)
  const failed = await bootOnce(plan.apps, { log, server: plan.server })
  const problems = [...failed].map(([name, why]) => ({
    ...errors.appBoot(why),
    place: config.placeOf(["app", name], { key: true }),
    at: formatPath(["app", name]),
  }))
  if (problems.length > 0) throw new ConfigError(problems)
}

function summary(config: Config, { apps, bindings }: Generation): string {
  const addresses = `${bindings.length} address${bindings.length === 1 ? "" : "es"}`
  return `${showFile(config.file)} is good: ${addresses}, ${apps.length} app${apps.length === 1 ? "" : "s"}`
}
