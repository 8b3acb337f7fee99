/** `edge purge` and invalidation reach every front. */
import { afterEach, expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"
import { Origin } from "./origin.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function start(fronts: number) {
  const origin = new Origin(({ method, target }) => ({
    status: 200,
    headers: [["Cache-Control", "max-age=600"], ["Surrogate-Key", target.startsWith("/red") ? "red all" : "all"]],
    body: `${method} ${target} ${origin.got.length}`,
  }))
  closers.push(() => origin.stop())
  const edge = await Edge.start({
    config: `[server]\nfronts = ${fronts}\n[log]\naccess = { path = "-", format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = ["cache"]\n[[site.route]]\nproxy = "http://127.0.0.1:${origin.port}"\n`,
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  return { edge, origin }
}

/** Each front asks once and keeps its own: new connections until two different answers were seen. */
async function fill(edge: Edge, path: string): Promise<Set<string>> {
  const seen = new Set<string>()
  while (seen.size < 2) seen.add(await edge.get(path))
  return seen
}

test("a purge reaches every front", async () => {
  const { edge } = await start(2)
  for (const args of [["/a"], ["--prefix", "/"], ["--tag", "blue", "all"], ["--all"]]) {
    const old = await fill(edge, "/a")
    expect((await edge.command("purge", ...args)).out).toBe("purged; 2 answers were in the memory of 2 fronts\n")
    for (let i = 0; i < 40; i++) expect(old).not.toContain(await edge.get("/a"))
  }
}, 60_000)

test("URLs, prefixes and tags: those and no others", async () => {
  const { edge } = await start(1)
  const purged = async (...args: string[]) => {
    const paths = ["/a?b=c", "/a", "/red/1", "/red/2"]
    const before = await Promise.all(paths.map(path => edge.get(path)))
    expect(await edge.command("purge", ...args)).toMatchObject({ code: 0, err: "" })
    const after = await Promise.all(paths.map(path => edge.get(path)))
    return paths.filter((_, i) => before[i] !== after[i])
  }
  expect(await purged("/a?b=c")).toEqual(["/a?b=c"])
  expect(await purged("127.0.0.1/a", "/none")).toEqual(["/a"])
  expect(await purged("https://127.0.0.1:1/x/../red//1")).toEqual(["/red/1"])
  expect(await purged("other.test/a")).toEqual([])
  expect(await purged("--prefix", "/red/")).toEqual(["/red/1", "/red/2"])
  expect(await purged("--prefix", "other.test/")).toEqual([])
  expect(await purged("--tag", "red")).toEqual(["/red/1", "/red/2"])
  expect(await purged("--all")).toHaveLength(4)
}, 60_000)

test("what an unsafe request changed is forgotten by all fronts", async () => {
  const { edge } = await start(2)
  const old = await fill(edge, "/a")
  await edge.get("/a", { method: "POST", body: "x" })
  // The other front hears of it a moment later; from then on no front has it.
  for (let quiet = 0; quiet < 40; ) quiet = old.has(await edge.get("/a")) ? 0 : quiet + 1
}, 60_000)

test("edge cache counts over all fronts", async () => {
  const { edge } = await start(2)
  await fill(edge, "/a")
  for (let i = 0; i < 20; i++) await edge.get("/a")
  await edge.get("/a", { headers: { "X-Original-URL": "/b" } })
  const [cache] = JSON.parse((await edge.command("cache", "--json")).out) as { hits: number }[]
  expect(cache).toMatchObject({ at: "site[0].use[0]", misses: 2, bypassed: 1, answers: 2 })
  expect(cache!.hits).toBeGreaterThanOrEqual(20)
  expect((await edge.command("cache")).out).toMatch(/^CACHE +HITS/)
}, 60_000)

test("what cannot be purged is said", async () => {
  const { edge } = await start(1)
  for (const [args, words] of [
    [[], "say what to purge"],
    [["a b"], "a URL to purge is"],
    [["ftp:/x"], "a URL to purge is"],
  ] as const) {
    const { code, err } = await edge.command("purge", ...args)
    expect([code, err]).toEqual([expect.any(Number), expect.stringContaining(words)])
    expect(code).not.toBe(0)
  }
}, 60_000)
