import type { AppSpec } from "edge"
import { setUp, TestContext } from "../../../../test/kit/context.ts"
import { PythonWorker, systemPython } from "../../../../test/kit/python-worker.ts"
import plugin from "../plugin.ts"

/** A worker that runs `entry` of this folder. */
export async function startWsgi(entry: string, options: { threads?: number; workers?: number | { max: number }; dev?: boolean; env?: Record<string, string> } = {}) {
  const config = { entry, python: systemPython, threads: options.threads ?? 1 }
  const runtime = await setUp(plugin, config, new TestContext({ dir: import.meta.dir, dev: options.dev ?? false }))
  const app = { name: "test", dir: import.meta.dir, env: {}, concurrency: runtime.concurrency, options: { gateway: { workers: options.workers ?? 2 } } } as unknown as AppSpec
  return new PythonWorker(runtime.launch(app), options.env)
}
