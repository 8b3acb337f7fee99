/**
 * What a config names and the machine does not have: folders, programs, modules. Asked by `edge check` only: a start goes on
 * without what may still come, as one app that is missing must not keep the others down, and says so.
 */
import { dirname } from "node:path"
import type { Config } from "../config/config.ts"
import { formatPath, type Path } from "../config/path.ts"
import { errors, type Problem, reason } from "../errors.ts"
import type { SetUpApp } from "../apps/spec.ts"
import { missingForStart } from "../apps/program.ts"
import { isMissing } from "../system/missing.ts"
import type { Generation } from "./generation.ts"
import { PartError } from "./parts.ts"

export async function findMissing(generation: Generation, config: Config): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  const tell = (path: Path, why: string): void => void problems.push({ ...errors.missingOnDisk(why), place: config.placeOf(path), at: formatPath(path) })
  tellFolders(config, tell)
  for (const app of generation.apps) await tellApp(app, tell)
  for (const { live, path } of generation.parts) {
    try {
      await live.check?.()
    } catch (error) {
      if (error instanceof PartError) problems.push(error.problem)
      else tell(path, reason(error))
    }
  }
  return problems
}

type Tell = (path: Path, why: string) => void

/** Files that the server makes itself need a folder. */
function tellFolders(config: Config, tell: Tell): void {
  const { server, log } = config.kernel
  const made: readonly (readonly [Path, string | undefined])[] = [
    [["server", "pid_file"], server.pidFile],
    [["server", "control"], server.control],
    [["log", "access", "path"], log.access.format === "off" || log.access.path === "-" ? undefined : log.access.path],
  ]
  for (const [path, file] of made) if (file !== undefined && isMissing(dirname(file))) tell(path, `there is no folder ${dirname(file)}`)
}

async function tellApp({ spec, launch, runtime }: SetUpApp, tell: Tell): Promise<void> {
  const { name, dir, env, attendants } = spec
  const at = ["app", name]
  if (isMissing(dir)) return tell([...at, "dir"], `there is no folder ${dir}`)
  if (spec.log !== undefined && isMissing(dirname(spec.log))) tell([...at, "log"], `there is no folder ${dirname(spec.log)}`)
  for (const [daemon, { command, env: own }] of Object.entries(attendants?.daemons ?? {})) {
    const missing = missingForStart(command[0], { dir, env: { ...env, ...own } })
    if (missing !== undefined) tell([...at, "daemons", daemon, "command"], missing.why)
  }
  for (const [i, { command, env: own }] of (attendants?.cron ?? []).entries()) {
    const missing = missingForStart(command[0], { dir, env: { ...env, ...own } })
    if (missing !== undefined) tell([...at, "cron", i, "command"], missing.why)
  }
  const [program] = launch?.argv ?? []
  if (program !== undefined) {
    const missing = missingForStart(program, { dir, env: launch!.env })
    if (missing !== undefined) return tell([...at, "python" in spec.options.runtime ? "python" : "command"], missing.why)
  }
  const missing = await runtime.check?.(spec)
  if (missing !== undefined) tell([...at, missing.key], missing.why)
}
