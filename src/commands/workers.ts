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

function rows(apps: readonly AppWorkers[]): string {
  return table([
    ["APP", "WORKER", "PID", "STATE", "AGE", "REQUESTS", "ACTIVE", "MEMORY"],
    ...apps.flatMap(({ app, workers }) =>
      workers.map(w => [app, w.index, w.pid, w.state, age(Date.now() - w.startedAt), w.requests, w.active, megabytes(w.memory)]),
    ),
  ])
}
