/** Config in, plan out: read and validated in a short-lived child, so that no third-party code runs in the supervisor. */
import type { Apart } from "../../config/apart.ts"
import { EdgeError } from "../../errors.ts"
import type { Plan } from "../../generation/plan.ts"
import { selfArgv } from "../../system/self.ts"

/** Where a config comes from: a file, or a text that stands for one (`edge serve`). */
export interface ConfigSource {
  readonly file: string
  readonly text?: string
  /** For a test: nothing of what the running server uses. */
  readonly apart?: Apart
}

/** What the child is asked. */
export interface PlanRequest {
  readonly source: ConfigSource
  readonly dev: boolean
}

/** What the child answers. */
export type PlanAnswer = { readonly plan: Plan } | { readonly error: { readonly code: string; readonly message: string } }

/** Setting up has a time limit of its own (plugin/slow-setup); this one is for a child that hangs outright. */
const PLAN_MS = 60_000

/** Rejects with an EdgeError whose message names the places, ready to print. */
export async function makePlanInChild(request: PlanRequest, signal?: AbortSignal): Promise<Plan> {
  let answer: PlanAnswer | undefined
  const child = Bun.spawn(selfArgv("__check"), {
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
    serialization: "json",
    ipc: (message: PlanAnswer | "hello") => {
      if (message === "hello") child.send(request)
      else answer = message
    },
    timeout: PLAN_MS,
    killSignal: "SIGKILL",
    signal,
  } as Bun.SpawnOptions.OptionsObject<"ignore", "inherit", "inherit">)
  const code = await child.exited
  if (answer === undefined) {
    const how = child.signalCode === null ? `ended with exit code ${code}` : `was killed by ${child.signalCode}`
    throw new EdgeError({ code: "check/died", message: `the check of ${request.source.file} ${how} without a result` })
  }
  if ("error" in answer) throw new EdgeError(answer.error)
  return answer.plan
}
