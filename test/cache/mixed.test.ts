/** Everything at once: whatever is stored, joined, cut, purged or revalidated, nobody gets what is another's. */
import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"
import { type Answer, type Got, Origin } from "./origin.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** The same numbers each time. */
function randoms(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state * 48_271) % 0x7fffffff
    return state % below
  }
}

/** The path says how it is to be answered; the body says for what it was asked, and is as long as that says. */
function bodyFor(host: string, target: string, kind: string): string {
  const id = `<${host} ${target} ${kind}>`
  return id.repeat(1 + (Number(/\d+/.exec(target)![0]) % 50) * 20)
}

const RANDOM = randoms(4711)

async function answer({ method, target, headers }: Got): Promise<Answer> {
  const kind = /vary/.test(target) ? (headers.get("x-kind") ?? "") : ""
  const etag = `"${Bun.hash(target + kind).toString(36)}"`
  if (RANDOM(3) === 0) await Bun.sleep(RANDOM(8))
  if (/cut/.test(target) && RANDOM(3) === 0) return undefined
  if (/fail/.test(target) && RANDOM(3) === 0) return { status: 503, headers: [], body: "<503>" }
  const age = /stale/.test(target) ? 0 : /short/.test(target) ? 1 : 600
  const lines: [string, string][] = [["ETag", etag]]
  if (/swr/.test(target)) lines.push(["Cache-Control", `max-age=0, stale-while-revalidate=600, stale-if-error=600`])
  else lines.push(["Cache-Control", /own/.test(target) ? "private" : `max-age=${age}`])
  if (/vary/.test(target)) lines.push(["Vary", "X-Kind"])
  if (method !== "GET" && method !== "HEAD") return { status: 204, headers: [], body: "" }
  if (headers.get("if-none-match") === etag) return { status: 304, headers: lines, body: "" }
  const text = bodyFor(headers.get("host")!, target, kind)
  if (method === "GET" && RANDOM(3) === 0) {
    lines.push(["Transfer-Encoding", "chunked"])
    return { status: 200, headers: lines, body: `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n` }
  }
  return { status: 200, headers: lines, body: text }
}

test("4,000 requests of all kinds", async () => {
  const origin = new Origin(answer)
  closers.push(() => origin.stop())
  const dir = mkdtempSync(join(tmpdir(), "edge-cache-"))
  closers.push(() => rmSync(dir, { recursive: true, force: true }))
  const edge = await Edge.start({
    config: `[server]\nfronts = 2\n[log]\naccess = { path = "-", format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]
use = [{ cache = { size = "1mb", stale_if_error = "1m", purge = { token = "secret-token" }, disk = { dir = "${dir}", size = "2mb" } } }]\n[[site.route]]\nproxy = "http://127.0.0.1:${origin.port}"\n`,
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  const outcomes: Record<string, number> = {}

  async function one(random: (below: number) => number): Promise<void> {
    const flavour = ["plain", "vary", "stale", "swr-vary", "cut-stale-vary", "fail-short", "own", "own-vary", "cut"][random(9)]!
    const target = `/${flavour}/${random(12)}${random(4) === 0 ? "?q" : ""}`
    const host = `h${random(2)}.test`
    const kind = String(random(3))
    const want = bodyFor(host, target, /vary/.test(target) ? kind : "")
    const headers: Record<string, string> = { Host: host, "X-Kind": kind }
    const what = random(20)
    if (what === 0) headers["Authorization"] = "Bearer secret-token"
    if (what === 1) headers["Range"] = "bytes=3-20"
    if (what === 2) headers["If-None-Match"] = `"${Bun.hash(target + (/vary/.test(target) ? kind : "")).toString(36)}"`
    const method = what === 0 ? "PURGE" : what === 3 ? "HEAD" : what === 4 && random(3) === 0 ? "POST" : "GET"
    const leave = what === 5 ? AbortSignal.timeout(random(5)) : undefined
    let got: Response
    let text: string
    try {
      got = await fetch(edge.url(target), { method, headers, keepalive: random(4) > 0, ...(leave !== undefined && { signal: leave }) })
      text = await got.text()
    } catch (error) {
      // Left, or an answer that its origin cut.
      if (leave === undefined && !/cut/.test(target)) throw error
      return
    }
    const said = got.headers.get("cache-status") ?? "none"
    outcomes[said] = (outcomes[said] ?? 0) + 1
    const seen = { method, target, host, kind, status: got.status }
    if (method === "PURGE") expect({ ...seen, text }).toMatchObject({ status: 200 })
    else if (got.status === 502 || got.status === 503) expect(seen.target).toMatch(/cut|fail/)
    else if (method === "POST") expect(got.status).toBe(204)
    else if (got.status === 304) expect(what).toBe(2)
    else if (method === "HEAD") expect({ ...seen, length: got.headers.get("content-length") }).toEqual({ ...seen, length: String(want.length) })
    else if (got.status === 206) expect({ ...seen, text }).toEqual({ ...seen, text: want.slice(3, 21) })
    else expect({ ...seen, text: text.slice(0, 60), length: text.length }).toEqual({ ...seen, status: 200, text: want.slice(0, 60), length: want.length })
  }

  const work = Array.from({ length: 20 }, async (_, i) => {
    const random = randoms(i + 1)
    for (let n = 0; n < 200; n++) await one(random)
  })
  await Promise.all(work)
  // It is no test of a cache that is never used.
  expect(outcomes["edge; hit"] ?? 0).toBeGreaterThan(400)
  expect(Object.keys(outcomes).filter(said => said.includes("collapsed")).length).toBeGreaterThan(0)
}, 120_000)
