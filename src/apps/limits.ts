/** What an app's processes may take of the machine: `nice`, `rlimits` and `cgroup` of `[app.x]`. */
import * as v from "valibot"
import { duration, size } from "../config/units.ts"
import { count } from "../config/values.ts"
import type { AppLimits } from "../contract/gateway.ts"

const say = v.description
const bytes = (what: string) => v.optional(v.pipe(size(), say(what)))

/** Resource limits, as setrlimit(2) names them; soft and hard alike. */
const rlimits = v.strictObject({
  as: bytes("Address space of a process; Bun needs hundreds of gigabytes of it, so for Python and others only"),
  core: bytes("Largest core file"),
  cpu: v.optional(v.pipe(duration({ min: "1s" }), say("Processor time of a process; past it SIGXCPU"))),
  data: bytes("Data segment"),
  fsize: bytes("Largest file that is written"),
  memlock: bytes("Locked memory"),
  nofile: v.optional(v.pipe(count(), say("Open files"))),
  nproc: v.optional(v.pipe(count(), say("Processes and threads of the user, in all"))),
  stack: bytes("Stack of the first thread"),
})

const cgroup = v.strictObject({
  memory: v.optional(v.pipe(size({ min: "1mb" }), say("Memory of all workers together; past it one is killed"))),
  cpu: v.optional(v.pipe(v.number(), v.minValue(0.01), say("Processors of all workers together: 1.5 is one and a half"))),
  pids: v.optional(v.pipe(count(), say("Processes and threads of all workers together"))),
})

export const appLimits = {
  nice: v.optional(v.pipe(v.number(), v.integer(), v.minValue(-20), v.maxValue(19), say("Scheduling priority of the workers; 19 is the lowest"))),
  rlimits: v.optional(v.pipe(rlimits, say("Limits of each process"))),
  cgroup: v.optional(v.pipe(cgroup, say("Limits of all workers together, where cgroup v2 is delegated to edge; else a warning"))),
} as const

/** Undefined when nothing is asked for. */
export function toAppLimits({ nice, rlimits, cgroup }: AppLimits): AppLimits | undefined {
  if (nice === undefined && rlimits === undefined && cgroup === undefined) return undefined
  const cpu = rlimits?.["cpu"]
  return {
    ...(nice !== undefined && { nice }),
    ...(rlimits !== undefined && { rlimits: cpu === undefined ? rlimits : { ...rlimits, cpu: Math.ceil(cpu / 1000) } }),
    ...(cgroup !== undefined && { cgroup }),
  }
}
