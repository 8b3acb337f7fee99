/**
 * What layer 1 costs per request with few and with many sites and routes: host, route, middleware and a file from
 * memory, from the Exchange to the Reply; no sockets. The cost must not grow with their number.
 * Usage: bun bench/routes.ts
 */
import { rmSync } from "node:fs"
import { join } from "node:path"
import type { Handler } from "../src/http/middleware/chain.ts"
import { Reply } from "../src/http/message/reply.ts"
import { loadConfig } from "../src/config/load.ts"
import { setUp } from "../src/generation/generation.ts"
import { logTo } from "../test/kit/context.ts"
import { type ExchangeOptions, exchange } from "../test/kit/exchange.ts"
import { folder } from "../test/kit/served.ts"

const calls = 300_000

async function handlerOf(toml: string): Promise<{ handler: Handler; setUpMs: number }> {
  const dir = folder({ "site.toml": toml, "www/a.css": "body{}".repeat(170) })
  const config = await loadConfig(join(dir, "site.toml"))
  const start = performance.now()
  const generation = await setUp(config, { log: logTo([]), dev: false })
  const setUpMs = performance.now() - start
  const handler: Handler = x => generation.bindings[0]!.handler(x)
  await handler(exchange("/a/a.css", { host: "s0.example" }))
  rmSync(dir, { recursive: true })
  return { handler, setUpMs }
}

/** Nanoseconds per call, the best of 5 rounds: the others met something else on this machine. */
function measure(handler: Handler, requests: readonly (readonly [target: string, options?: ExchangeOptions])[]): number {
  const exchanges = requests.map(([target, options]) => exchange(target, { startMs: performance.now() + 1e9, ...options }))
  const mask = exchanges.length
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    for (let i = 0; i < calls; i++) {
      const answer = handler(exchanges[i % mask]!)
      if (!(answer instanceof Reply)) throw new Error("not a plain answer")
    }
    best = Math.min(best, (performance.now() - start) / calls)
  }
  return best * 1e6
}

function spread(n: number, make: (i: number) => readonly [string, ExchangeOptions?]) {
  return Array.from({ length: Math.min(n, 64) }, (_, i) => make(Math.floor((i * n) / Math.min(n, 64))))
}

const respond = 'respond = "x"'
console.log("ns per request, Exchange to Reply".padEnd(40), "10".padStart(8), "1,000".padStart(8), "10,000".padStart(8))
const rows: Record<string, number[]> = {}
const setUps: number[] = []
for (const n of [10, 1000, 10_000]) {
  const sites = Array.from({ length: n }, (_, i) => `[[site]]\nhosts = ["s${i}.example", "*.w${i}.example"]\n[[site.route]]\n${respond}\n`)
  const bySite = await handlerOf(sites.join(""))
  add("site by exact host", measure(bySite.handler, spread(n, i => ["/", { host: `s${i}.example` }])))
  add("site by wildcard", measure(bySite.handler, spread(n, i => ["/", { host: `a.w${i}.example` }])))

  const routes = Array.from({ length: n }, (_, i) => `[[site.route]]\npath = ["/x${i}/page", "/p${i}/*", "/u${i}/:id"]\n${respond}\n`)
  const byRoute = await handlerOf(`[[site]]\n${routes.join("")}[[site.route]]\nrespond = "rest"\n`)
  add("route by exact path", measure(byRoute.handler, spread(n, i => [`/x${i}/page`])))
  add("route by prefix", measure(byRoute.handler, spread(n, i => [`/p${i}/a/b.css`])))
  add("route by :param", measure(byRoute.handler, spread(n, i => [`/u${i}/7`])))
  add("no route but the last", measure(byRoute.handler, [["/none/of/them"]]))
  setUps.push(bySite.setUpMs, byRoute.setUpMs)
}
for (const [name, values] of Object.entries(rows)) {
  console.log(name.padEnd(40), ...values.map(value => value.toFixed(0).padStart(8)))
}
console.log(`set up in ms: ${setUps.map(ms => ms.toFixed(0)).join(", ")} (sites, routes of each size)\n`)

console.log("a 1 kB file from memory, ns per request")
const file = async (name: string, use: string, headers: Record<string, string> = {}, path: string | null = "/a/a.css") => {
  const { handler } = await handlerOf(`[[site]]\nuse = [${use}]\n[[site.route]]\npath = "/a/*"\nstatic = { root = "www" }\n`)
  const options = { host: "s0.example", headers, startMs: performance.now() }
  await handler(exchange("/a/a.css", options))
  const x = exchange(path ?? "/a/", options)
  let serial = 0
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    for (let i = 0; i < calls; i++) handler(path === null ? x.with({ path: `/a/${serial++}` }) : x)
    best = Math.min(best, (performance.now() - start) / calls)
  }
  console.log(name.padEnd(40), (best * 1e6).toFixed(0).padStart(8))
}
const browser = {
  Accept: "*/*",
  "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)",
  "Accept-Language": "en",
  Referer: "http://s0.example/",
  Connection: "keep-alive",
}
await file("alone", "")
await file("a browser's headers", "", browser)
await file("+ headers", "{ headers = { set = { X-A = \"1\" } } }", browser)
await file("+ cache_control + headers", '{ cache_control = "1d" }, { headers = { set = { X-A = "1" } } }', browser)
await file("+ compress, gzip", '"compress"', { ...browser, "Accept-Encoding": "gzip, deflate, br" })
await file("304", "", { ...browser, "If-None-Match": "*" })

await file("absent, asked again and again", "", browser, "/a/none.css")
await file("absent, another name each time", "", browser, null)

function add(name: string, value: number): void {
  ;(rows[name] ??= []).push(value)
}
