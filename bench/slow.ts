/**
 * What the quick requests of an app feel when 1 in 100 is slow (200 ms): four workers, quick ones take 5 ms of waiting, so
 * that the machine is not the limit; 70 % of what four workers can do, at random times, none of them waiting for another.
 *   bun bench/slow.ts [--seconds 15] [--rounds 3] [--venv DIR] [--edge dist/edge]
 */
import { join } from "node:path"
import { parseArgs } from "node:util"
import { median } from "./kit/load.ts"
import { openLoop, percentile } from "./kit/open-loop.ts"
import { benchFolder, Processes } from "./kit/processes.ts"
import { edgeWith, peers } from "./kit/python-peers.ts"

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "15" },
    rounds: { type: "string", default: "3" },
    venv: { type: "string", default: "" },
    edge: { type: "string", default: "dist/edge" },
  },
})
const workers = 4
const meanMs = 0.99 * 5 + 0.01 * 200
const rate = (0.7 * workers * 1000) / meanMs
const isSlow = (n: number): boolean => n % 100 === 50

const dir = join(import.meta.dir, "python")
const processes = new Processes(benchFolder("slow"))
const shared = { processes, dir, venv: options.venv, workers }
try {
  const python = options.venv === "" ? "/usr/bin/python3" : join(options.venv, "bin/python")
  const subjects = [
    await edgeWith("apps:waits", { ...shared, python, runtime: "wsgi", edge: [join(process.cwd(), options.edge)] }),
    { ...(await peers["nginx + gunicorn sync"]("apps:waits", shared)), name: "nginx + gunicorn sync" },
    { ...(await peers["nginx + gunicorn gthread"]("apps:waits", shared)), name: "nginx + gunicorn gthread, 4 x 4 threads" },
    { ...(await peers["nginx + uWSGI"]("apps:waits", shared)), name: "nginx + uWSGI" },
  ]
  const seen = new Map(subjects.map(({ name }) => [name, { p50: [] as number[], p99: [] as number[], failed: 0 }]))
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const { name, url } of subjects) {
      const all = await openLoop({
        port: Number(new URL(url).port),
        rate,
        seconds: Number(options.seconds),
        path: n => (isSlow(n) ? "/?slow" : "/"),
        counts: n => !isSlow(n),
      })
      const figures = seen.get(name)!
      figures.p50.push(percentile(all, 0.5))
      figures.p99.push(percentile(all, 0.99))
      figures.failed += all.failed
    }
  }
  const ours = median(seen.get("edge")!.p99)
  console.log("| server | p50 ms | p99 ms | edge's p99 is | failed |\n|---|---|---|---|---|")
  for (const [name, { p50, p99, failed }] of seen) {
    console.log(`| ${name} | ${median(p50).toFixed(1)} | ${median(p99).toFixed(1)} | ${(ours / median(p99)).toFixed(2)} x | ${failed} |`)
  }
} finally {
  await processes.stop()
}
