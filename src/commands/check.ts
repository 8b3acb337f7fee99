/** `edge check`: parse, validate and set up everything; open nothing. */
import type { Config } from "../config/config.ts"
import { dumpConfig } from "../config/dump.ts"
import { loadConfig } from "../config/load.ts"
import { formatPath } from "../config/path.ts"
import { ConfigError, errors, type Problem, reason, showFile } from "../errors.ts"
import { type Generation, setUp } from "../generation/generation.ts"
import { findMissing } from "../generation/missing.ts"
import { createLogger, type Logger } from "../log/logger.ts"
import { keepPrivateFiles, readPrivateFiles } from "../processes/private-files.ts"
import { become, findIdentity, isRoot } from "../system/identity.ts"

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
  const failed = options.apps === true ? await bootWorkers(config, log) : new Map<string, string>()
  dropRights(config)
  const generation = await setUp(config, { log, dev: false })
  if (options.apps === true) await loadInline(generation, { log, failed })
  // What is printed is the config, and may be of another machine.
  const missing = options.dump === true ? [] : await findMissing(generation, config)
  const problems = [...missing, ...bootProblems(failed, config).filter(one => !missing.some(({ at }) => at?.startsWith(`${one.at}.`)))]
  if (problems.length > 0) throw new ConfigError(problems)
  if (options.dump === true) console.log(dumpConfig(config, generation.parts))
  else if (options.json === true) console.log("[]")
  else console.log(summary(config, generation))
  return 0
}

/** As a start does: what is set up may be a third party's, and root is for reading and for starting others. */
function dropRights(config: Config): void {
  const { user, group } = config.readKernel().kernel.server
  if (user === undefined || !isRoot()) return
  keepPrivateFiles(readPrivateFiles(config))
  try {
    become(findIdentity(user, group))
  } catch (error) {
    const path = ["server", "user"]
    throw new ConfigError([{ ...errors.value(reason(error)), place: config.placeOf(path), at: formatPath(path) }], { cause: error })
  }
}

/**
 * Planned in a child, as for a start, so that root runs nothing of a third party; then started each as its own user.
 * App -> why it cannot start.
 */
async function bootWorkers(config: Config, log: Logger): Promise<Map<string, string>> {
  const { makePlanInChild } = await import("../supervisor/reload/planner.ts")
  const { bootOnce } = await import("../supervisor/workers/boot-check.ts")
  const { apps, server } = await makePlanInChild({ source: { file: config.file }, dev: false })
  return bootOnce(apps, { log, server })
}

/** Apps without workers run inside the fronts, so here too. */
async function loadInline({ apps }: Generation, { log, failed }: { log: Logger; failed: Map<string, string> }): Promise<void> {
  const { loadApp } = await import("../apps/load.ts")
  for (const { spec, launch } of apps) {
    if (launch !== undefined) continue
    await loadApp(spec, { log }).catch((error: unknown) => failed.set(spec.name, reason(error)))
  }
}

/** Those that have something missing are told of that: it says more than the worker's death. */
function bootProblems(failed: ReadonlyMap<string, string>, config: Config): Problem[] {
  return [...failed].map(([name, why]) => ({
    ...errors.appBoot(why),
    place: config.placeOf(["app", name], { key: true }),
    at: formatPath(["app", name]),
  }))
}

function summary(config: Config, { apps, bindings }: Generation): string {
  const addresses = `${bindings.length} address${bindings.length === 1 ? "" : "es"}`
  return `${showFile(config.file)} is good: ${addresses}, ${apps.length} app${apps.length === 1 ? "" : "s"}`
}
