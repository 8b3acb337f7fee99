/**
 * What requests feel while workers are recycled: four workers, requests of 5 ms at a steady rate, with `max_requests` so
 * that one is replaced about every 2 s, and without.
 *   bun bench/recycle.ts [--seconds 15] [--rounds 2] [--edge dist/edge]
 */
import { join } from "node:path"
import { parseArgs } from "node:util"
import { median } from "./kit/load.ts"
import { openLoop, percentile } from "./kit/open-loop.ts"
import { benchFolder, Processes } from "./kit/processes.ts"
import { edgeWith } from "./kit/python-peers.ts"

const { values: options } = parseArgs({
  options: { seconds: { type: "string", default: "15" }, rounds: { type: "string", default: "2" }, edge: { type: "string", default: "dist/edge" } },
})
const rate = 200
const processes = new Processes(benchFolder("recycle"))
const shared = { processes, dir: join(import.meta.dir, "python"), python: "/usr/bin/python3", runtime: "wsgi", workers: 4, edge: [join(process.cwd(), options.edge)] } as const
try {
  const subjects = [
    { ...(await edgeWith("apps:waits", { ...shared, more: "max_requests = 400\nmax_requests_jitter = 50" })), name: "one recycled every 2 s" },
    { ...(await edgeWith("apps:waits", shared)), name: "none recycled" },
  ]
  const seen = new Map(subjects.map(({ name }) => [name, { p50: [] as number[], p99: [] as number[], failed: 0 }]))
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const { name, url } of subjects) {
      const all = await openLoop({ port: Number(new URL(url).port), rate, seconds: Number(options.seconds), path: () => "/", counts: () => true })
      const figures = seen.get(name)!
      figures.p50.push(percentile(all, 0.5))
      figures.p99.push(percentile(all, 0.99))
      figures.failed += all.failed
    }
  }
  console.log("| edge | p50 ms | p99 ms | failed |\n|---|---|---|---|")
  for (const [name, { p50, p99, failed }] of seen) console.log(`| ${name} | ${median(p50).toFixed(1)} | ${median(p99).toFixed(1)} | ${failed} |`)
} finally {
  await processes.stop()
}
