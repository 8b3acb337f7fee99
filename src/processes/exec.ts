/**
 * `edge __exec HOW COMMAND...`: becomes what an app's process is to be (its group of limits, priority, resource limits, user
 * with all groups), then the command. Bun.spawn sets uid and gid only; a worker that needs more takes this detour of some 10 ms.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Identity, become } from "../system/identity.ts"
import { execute, keepOnExec, setNice, setResourceLimit } from "../system/libc.ts"

/** The listening socket of a frames worker (docs/worker-protocol.md). */
const SOCKET = 3

export interface ExecHow {
  readonly identity?: Identity | undefined
  /** Descriptor 3 is to be kept. */
  readonly socket: boolean
  readonly nice?: number | undefined
  readonly rlimits?: Readonly<Record<string, number | undefined>> | undefined
  /** Folder of the cgroup to join. */
  readonly cgroup?: string | undefined
}

export async function run([text = "", ...command]: readonly string[]): Promise<number> {
  const how = JSON.parse(text) as ExecHow
  const argv = throughShell(command, how.rlimits ?? {})
  const file = Bun.which(argv[0] ?? "")
  if (Bun.which(command[0] ?? "") === null || file === null) {
    console.error(`${command[0]}: command not found`)
    return 127
  }
  try {
    // What needs root's rights comes first.
    if (how.cgroup !== undefined) writeFileSync(join(how.cgroup, "cgroup.procs"), String(process.pid))
    if (how.nice !== undefined) setNice(how.nice)
    for (const [name, value] of Object.entries(how.rlimits ?? {}))
      if (value !== undefined && !Object.hasOwn(shellLimits, name)) setResourceLimit(name, value)
    if (how.socket) keepOnExec(SOCKET)
    if (how.identity !== undefined) become(how.identity)
  } catch (error) {
    console.error(String(error instanceof Error ? error.message : error))
    return 126
  }
  return execute(file, argv, process.env)
}

/** Limits below what Bun itself maps: it dies of them at once, so a shell sets them, in kB. */
const shellLimits: Readonly<Record<string, string>> = { as: "-v", data: "-d" }

function throughShell(argv: readonly string[], limits: Readonly<Record<string, number | undefined>>): readonly string[] {
  const set = Object.entries(shellLimits).flatMap(([name, option]) => {
    const bytes = limits[name]
    return bytes === undefined ? [] : [`ulimit ${option} ${Math.floor(bytes / 1024)}`]
  })
  return set.length === 0 ? argv : ["/bin/sh", "-c", `${set.join(" && ")} && exec "$0" "$@"`, ...argv]
}
