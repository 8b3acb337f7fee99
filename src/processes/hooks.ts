/** `edge __hooks`: runs the plugins' hooks, away from the supervisor and its rights. */
import { Config, type ConfigJson } from "../config/config.ts"
import type { Problem } from "../errors.ts"
import { type HookName, runHooks } from "../registry/hooks.ts"
import { createLogger } from "../log/logger.ts"
import type { HookContext } from "../contract/plugin.ts"
import { keepPrivateFiles, readPrivateFiles } from "./private-files.ts"
import { Registry } from "../registry/registry.ts"
import { become, findIdentity, isRoot } from "../system/identity.ts"
import { Rpc } from "../system/rpc.ts"

/** What the child is told first. */
export interface HooksStart {
  readonly config: ConfigJson
  readonly dev: boolean
}

/** Ends when the supervisor ends it, or is gone. */
export function run(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  let context: HookContext | undefined
  let registry: Registry | undefined
  // One event at a time, in the order in which things happened.
  let last: Promise<void> = Promise.resolve()
  const rpc = new Rpc(message => void (process.connected && process.send!(message)), {
    start: async ({ config: json, dev }: HooksStart) => {
      const config = Config.fromJSON(json)
      const { server, log } = config.readKernel().kernel
      if (server.user !== undefined && isRoot()) {
        keepPrivateFiles(readPrivateFiles(config))
        become(findIdentity(server.user, server.group))
      }
      const problems: Problem[] = []
      registry = await Registry.open(config, problems)
      if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join("\n"))
      context = { log: createLogger(log), dir: config.dir, dev }
      process.on("uncaughtException", error => context!.log.error("a plugin's hook failed", { error }))
      process.on("unhandledRejection", error => context!.log.error("a plugin's hook failed", { error }))
    },
    flush: () => last,
    hook: (hook: HookName, ...args: unknown[]) => {
      last = last.then(() => runHooks(registry!.hooks, { hook, args, ctx: context! }))
      return last
    },
  })
  process.on("message", message => rpc.receive(message as never))
  process.on("disconnect", () => resolve(0))
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {})
  return promise
}
