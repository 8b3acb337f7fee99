/**
 * A front in a process of its own, to be killed: front.ts PAGE SPEC WORKERS FRONT CLIENTS PATH. So many clients ask for the
 * path, one request after the other; says "sending" first, and at the end of its input the counts of each status.
 */
import { connect } from "../../plugins/gateway/pool/worker-connections.ts"
import type { AppSpec, WorkerInfo } from "../../src/contract/gateway.ts"
import { openPage } from "../../src/slots/page.ts"
import { logTo } from "../kit/context.ts"
import { ask } from "../kit/exchange.ts"

const [page, spec, workers, front, clients, path] = process.argv.slice(2) as [string, string, string, string, string, string]
const live = connect(JSON.parse(spec) as AppSpec, {
  log: logTo([]),
  front: Number(front),
  workers: f => f(JSON.parse(workers) as WorkerInfo[]),
  page: () => openPage(page),
  report: () => {},
  load: () => Promise.reject(new Error("no app here")),
})
await live.start?.()
let going = true
const statuses: Record<number, number> = {}

async function client(): Promise<void> {
  while (going) {
    const status = await ask(live.part, path).then(a => a.status, (e: { status?: number }) => e.status ?? 0)
    statuses[status] = (statuses[status] ?? 0) + 1
  }
}

const all = Promise.all(Array.from({ length: Number(clients) }, client))
await Bun.sleep(50)
console.log("sending")
await Bun.stdin.text()
going = false
await all
await live.stop?.(AbortSignal.timeout(1000))
console.log(JSON.stringify(statuses))
process.exit(0)
