/** Names of hooks, and how they are run: one after the other, each with its own errors and its own time. */
import type { HookContext, Hooks } from "../contract/plugin.ts"

export type HookName = keyof Hooks

const names: Readonly<Record<HookName, true>> = {
  on_start: true,
  pre_reload: true,
  on_reload: true,
  worker_ready: true,
  worker_exit: true,
  on_stop: true,
}
export const hookNames = Object.keys(names) as readonly HookName[]

/** How long one hook may take. */
export const HOOK_MS = 10_000

type Run = (...args: readonly unknown[]) => unknown

/** Never rejects: what a plugin does wrong is in the log. `args` stand before the context. */
export async function runHooks(
  plugins: readonly { readonly plugin: string; readonly hooks: Hooks }[],
  call: { readonly hook: HookName; readonly args: readonly unknown[]; readonly ctx: HookContext; readonly maxMs?: number },
): Promise<void> {
  const { hook, args, ctx, maxMs = HOOK_MS } = call
  for (const { plugin, hooks } of plugins) {
    const run = hooks[hook] as Run | undefined
    if (run === undefined) continue
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error(`it did not end within ${maxMs / 1000} s`)), maxMs)
    try {
      await Promise.race([run.call(hooks, ...args, { ...ctx, log: ctx.log.with({ plugin }) }), late.promise])
    } catch (error) {
      ctx.log.error(`hook ${hook} failed`, { plugin, error })
    } finally {
      clearTimeout(timer)
    }
  }
}
