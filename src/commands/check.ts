/** `edge check`: parse, validate and set up everything; open nothing. */
import { dumpConfig } from "../config/dump.ts"
import { loadConfig } from "../config/load.ts"
import { ConfigError, showFile } from "../errors.ts"
import { type Generation, setUp } from "../generation.ts"
import { createLogger } from "../log/logger.ts"
import type { Config } from "../config/config.ts"

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
  if (options.dump === true) console.log(dumpConfig(config, generation.parts))
  else if (options.json === true) console.log("[]")
  else console.log(summary(config, generation))
  return 0
}

function summary(config: Config, { apps, bindings }: Generation): string {
  const addresses = `${bindings.length} address${bindings.length === 1 ? "" : "es"}`
  return `${showFile(config.file)} is good: ${addresses}, ${apps.length} app${apps.length === 1 ? "" : "s"}`
}
