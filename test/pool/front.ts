/** A front in a process of its own, to be killed: front.ts PAGE SPEC WORKERS PATH. Sends one request and says so. */
import { connect } from "../../plugins/gateway/pool/connect.ts"
import type { AppSpec, WorkerInfo } from "../../src/plugin.ts"
import { openPage } from "../../src/slots.ts"
import { logTo } from "../kit/context.ts"
import { ask } from "../kit/exchange.ts"

const [page, spec, workers, path] = process.argv.slice(2) as [string, string, string, string]
const live = connect(JSON.parse(spec) as AppSpec, {
  log: logTo([]),
  front: 1,
  workers: f => f(JSON.parse(workers) as WorkerInfo[]),
  page: () => openPage(page),
  report: () => {},
  load: () => Promise.reject(new Error("no app here")),
})
await live.start?.()
const answer = ask(live.part, path)
await Bun.sleep(100)
console.log("sent")
await answer
