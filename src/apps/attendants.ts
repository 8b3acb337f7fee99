/** Programs beside an app's workers: `daemons` that always run, and `cron` commands. Plain data that crosses processes. */
import * as v from "valibot"
import { duration } from "../config/units.ts"
import { count } from "../config/values.ts"
import type { AppAttendants, CronJob, Daemon } from "../contract/gateway.ts"

const say = v.description
const command = v.tupleWithRest([v.pipe(v.string(), v.nonEmpty())], v.string())
const env = v.optional(v.record(v.string(), v.string()), {})

const daemon = v.strictObject({
  command: v.pipe(command, say("The program and its arguments, in the app's folder")),
  count: v.pipe(v.optional(count({ min: 1, max: 100 }), 1), say("How many of it run; each has its number in $EDGE_INDEX")),
  env: v.pipe(env, say("Environment beside the app's own")),
  stop_timeout: v.pipe(v.optional(duration(), "10s"), say("From SIGTERM to SIGKILL")),
})

const job = v.strictObject({
  at: v.pipe(
    v.string(),
    v.metadata({ expects: 'a time as in crontab: "*/5 * * * *", "30 3 * * MON-FRI", "@daily"' }),
    v.check(isCron, 'expected a time as in crontab: "*/5 * * * *", "30 3 * * MON-FRI", "@daily"'),
    say("When: minute, hour, day, month, weekday, in the server's time zone"),
  ),
  command: v.pipe(command, say("The program and its arguments, in the app's folder")),
  env: v.pipe(env, say("Environment beside the app's own")),
  timeout: v.pipe(v.optional(duration({ min: "1s" }), "1h"), say("It is ended when it takes longer")),
  overlap: v.pipe(v.optional(v.boolean(), false), say("Start it also while the last one still runs")),
})

export const appAttendants = {
  daemons: v.pipe(
    v.optional(v.record(v.pipe(v.string(), v.regex(/^[\w.-]+$/, "a name of letters, digits, dots and dashes")), daemon), {}),
    say("Programs that run beside the workers: task workers, watchers. Started again when they end; new code is a new start"),
  ),
  cron: v.pipe(v.optional(v.array(job), []), say("Commands that run at times")),
} as const

/** Undefined when there are none. */
export function toAttendants(daemons: Readonly<Record<string, Daemon>>, cron: readonly CronJob[]): AppAttendants | undefined {
  return Object.keys(daemons).length === 0 && cron.length === 0 ? undefined : { daemons, cron }
}

/** The next time after `from`; null when that day never comes (30 February). Throws when `at` is no time. */
export function nextTime(at: string, from: Date): Date | null {
  return (Bun.cron as unknown as { parse(text: string, from: Date): Date | null }).parse(at, from)
}

function isCron(at: string): boolean {
  try {
    return nextTime(at, new Date()) !== null
  } catch {
    return false
  }
}
