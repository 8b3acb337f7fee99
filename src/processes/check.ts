/** `edge __check`: the short-lived child that reads a config, sets everything up once, and says what the supervisor needs. */
import { setApart } from "../config/apart.ts"
import { configFromText, loadConfig } from "../config/load.ts"
import { EdgeError, reason } from "../errors.ts"
import { setUp } from "../generation/generation.ts"
import { createLogger } from "../log/logger.ts"
import { makePlan, type Plan } from "../generation/plan.ts"
import { keepPrivateFiles, readPrivateFiles } from "./private-files.ts"
import { become, findIdentity, isRoot } from "../system/identity.ts"
import type { PlanAnswer, PlanRequest } from "../supervisor/reload/planner.ts"

/** Resolves with the exit code. */
export async function run(): Promise<number> {
  const request = await new Promise<PlanRequest>(resolve => {
    process.once("message", resolve)
    process.send!("hello")
  })
  const answer = await plan(request).then(
    (made): PlanAnswer => ({ plan: made }),
    (error: unknown): PlanAnswer => ({ error: { code: error instanceof EdgeError ? error.code : "check", message: reason(error) } }),
  )
  await new Promise<void>(resolve => process.send!(answer, undefined, undefined, () => resolve()))
  return 0
}

/** Reading is ours and may need root's rights; what is set up afterwards may be a third party's. */
async function plan({ source, dev }: PlanRequest): Promise<Plan> {
  const read = source.text === undefined ? await loadConfig(source.file) : await configFromText(source.text, { file: source.file })
  const config = source.apart === undefined ? read : await setApart(read, source.apart)
  const { user, group } = config.readKernel().kernel.server
  if (user !== undefined && isRoot()) {
    keepPrivateFiles(readPrivateFiles(config))
    become(findIdentity(user, group))
  }
  const generation = await setUp(config, { log: createLogger(config.readKernel().kernel.log), dev })
  return makePlan(generation, config)
}
