import { type AppWorkers, control } from "../control.ts"
import { type ControlOptions, controlSocket } from "./control-socket.ts"
import { age, megabytes, table } from "./table.ts"

export async function run(options: ControlOptions & { readonly stack?: boolean; readonly json?: boolean }): Promise<void> {
  const { workers = [] } = await control(await controlSocket(options), { do: "workers", stack: options.stack === true })
  if (options.json === true) return console.log(JSON.stringify(workers, null, 2))
  console.log(rows(workers))
  if (options.stack !== true) return
  for (const { app, workers: each } of workers) {
    for (const { index, pid, stack } of each) console.log(`\n${app} worker ${index} (pid ${pid})\n${stack || "it cannot say"}`)
  }
}

/** "GET /slow for 3.2 s, and 4 more" */
function doing([first, ...more]: AppWorkers["workers"][number]["now"]): string {
  if (first === undefined) return ""
  const since = `${first.method} ${first.path} for ${(first.ms / 1000).toFixed(1)} s`
  return more.length === 0 ? since : `${since}, and ${more.length} more`
}

function rows(apps: readonly AppWorkers[]): string {
  return table([
    ["APP", "WORKER", "PID", "STATE", "AGE", "REQUESTS", "ACTIVE", "MEMORY", "NOW"],
    ...apps.flatMap(({ app, workers }) =>
      workers.map(w => [app, w.index, w.pid, w.state, age(Date.now() - w.startedAt), w.requests, w.active, megabytes(w.memory), doing(w.now)]),
    ),
  ])
}
