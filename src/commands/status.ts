import { type AttendantStatus, control, type Status } from "../control.ts"
import { type ControlOptions, controlSocket } from "./control-socket.ts"
import { age, megabytes, table } from "./table.ts"

export async function run(options: ControlOptions & { readonly json?: boolean }): Promise<void> {
  const { status } = await control(await controlSocket(options), { do: "status" })
  console.log(options.json === true ? JSON.stringify(status, null, 2) : describe(status!))
}

function describe(status: Status): string {
  const { pid, startedAt, config, generation, addresses, fronts, apps } = status
  const sections = [
    `pid ${pid}, up ${age(Date.now() - startedAt)}, generation ${generation}, ${config}`,
    table([["ADDRESS", "URL"], ...addresses.map(({ address, urls }) => [address, urls.join(" ")])]),
    table([
      ["FRONT", "GENERATION", "STATE", "CONNECTIONS", "REQUESTS", "MEMORY"],
      ...fronts.map(f => [f.pid, f.generation, f.state, f.connections ?? "?", f.requests ?? "?", megabytes(f.memory)]),
    ]),
  ]
  if (apps.length > 0) sections.push(table([["APP", "RUNTIME", "GATEWAY", "WORKERS", "REQUESTS", "STARTS", "MEMORY"], ...apps.map(appRow)]))
  const attendants = apps.flatMap(app => app.attendants.map(one => attendantRow(app.name, one)))
  if (attendants.length > 0) sections.push(table([["APP", "DAEMON OR CRON", "PID", "AGE", "STARTS", "NEXT"], ...attendants]))
  return sections.join("\n\n")
}

function attendantRow(app: string, { name, pid, startedAt, starts, next }: AttendantStatus): (string | number)[] {
  const since = startedAt === undefined ? "" : age(Date.now() - startedAt)
  return [app, name, pid ?? "", since, starts, next === undefined ? "" : `in ${age(next - Date.now())}`]
}

function appRow({ name, runtime, gateway, workers, use }: Status["apps"][number]): (string | number)[] {
  const ready = workers.filter(({ state }) => state === "ready").length
  const count = ready === workers.length ? String(ready) : `${ready} of ${workers.length} ready`
  return [name, runtime, gateway, count, use.requests ?? "?", use.starts ?? "?", megabytes(use.cgroup?.memory ?? use.memory)]
}
