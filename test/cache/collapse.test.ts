/** Many who want the same at once: one request to the origin, whatever becomes of it. */
import { afterEach, expect, test } from "bun:test"
import { Edge, until } from "../kit/edge.ts"
import { type Answer, type Got, Origin } from "./origin.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** An origin that holds every request until the test answers it. */
class Holding {
  readonly waiting: { got: Got; answer(answer: Answer): void }[] = []
  readonly origin = new Origin(got => new Promise(resolve => this.waiting.push({ got, answer: resolve })))

  /** The n-th request, when it is there. */
  async nth(n: number) {
    await until(() => this.waiting.length >= n)
    return this.waiting[n - 1]!
  }
}

async function start(options = "", more = "") {
  const held = new Holding()
  closers.push(() => held.origin.stop())
  const edge = await Edge.start({
    config: `[server]\nfronts = 1\n[log]\nlevel = "debug"\naccess = { path = "-", format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\nuse = [{ cache = { ${options} } }]\nproxy = { to = "http://127.0.0.1:${held.origin.port}", retries = 0${more} }\n`,
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  return { edge, held }
}

const kept = (body: string, headers: [string, string][] = []): Answer => ({ status: 200, headers: [["Cache-Control", "max-age=600"], ...headers], body })
const get = async (edge: Edge, path: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(edge.url(path), { headers, keepalive: false })
  return { status: answer.status, text: await answer.text(), said: answer.headers.get("cache-status") ?? "" }
}
/** All are in edge, and wait: their connections are there, and their heads a moment later. */
async function arrived(edge: Edge, connections: number): Promise<void> {
  await until(async () => ((await edge.status()).fronts[0]?.connections ?? 0) >= connections)
  await Bun.sleep(200)
}

test("one request for all who come while it is under way", async () => {
  const { edge, held } = await start('collapse = "30s"')
  const answers = Array.from({ length: 40 }, () => get(edge, "/a"))
  const first = await held.nth(1)
  await arrived(edge, 40)
  first.answer(kept("the answer"))
  const got = await Promise.all(answers)
  expect(new Set(got.map(({ text }) => text))).toEqual(new Set(["the answer"]))
  expect(got.filter(({ said }) => said.includes("collapsed")).length).toBeGreaterThan(0)
  expect(held.waiting).toHaveLength(1)
}, 60_000)

test("fields for one go to the first, and to none of those who wait with it", async () => {
  const { edge, held } = await start('collapse = "30s"')
  const ask = () => fetch(edge.url("/a"), { keepalive: false })
  const answers = [ask()]
  const first = await held.nth(1)
  for (let i = 0; i < 10; i++) answers.push(ask())
  await arrived(edge, 11)
  first.answer(kept("the answer", [["Cache-Control", 'private="Set-Cookie"'], ["Set-Cookie", "sid=1"]]))
  const got = await Promise.all(answers)
  expect(got.map(({ headers }) => headers.get("set-cookie"))).toEqual(["sid=1", ...Array(10).fill(null)])
  expect(held.waiting).toHaveLength(1)
}, 60_000)

test("those whose Vary does not fit ask for themselves, once for each kind", async () => {
  const { edge, held } = await start('collapse = "30s"')
  const answers = Array.from({ length: 12 }, (_, i) => get(edge, "/a", { "X-Kind": String(i % 3) }))
  const first = await held.nth(1)
  await arrived(edge, 12)
  first.answer(kept(`for ${first.got.headers.get("x-kind")}`, [["Vary", "X-Kind"]]))
  for (const n of [2, 3]) {
    const other = await held.nth(n)
    other.answer(kept(`for ${other.got.headers.get("x-kind")}`, [["Vary", "X-Kind"]]))
  }
  for (const [i, { text }] of (await Promise.all(answers)).entries()) expect(text).toBe(`for ${i % 3}`)
  expect(held.waiting).toHaveLength(3)
}, 60_000)

test("what is for one alone is given to one alone", async () => {
  const { edge, held } = await start('collapse = "30s"')
  const answers = Array.from({ length: 10 }, () => get(edge, "/a"))
  const first = await held.nth(1)
  await arrived(edge, 10)
  first.answer({ status: 200, headers: [["Set-Cookie", "id=1"], ["Cache-Control", "max-age=600"]], body: "own 1" })
  for (let n = 2; n <= 10; n++) (await held.nth(n)).answer({ status: 200, headers: [["Cache-Control", "no-store"]], body: `own ${n}` })
  const texts = (await Promise.all(answers)).map(({ text }) => text)
  expect(new Set(texts).size).toBe(10)
}, 60_000)

test("the first fails: one of the others asks for all of them, once more", async () => {
  const { edge, held } = await start('collapse = "30s"')
  const answers = Array.from({ length: 10 }, () => get(edge, "/a"))
  const first = await held.nth(1)
  await arrived(edge, 10)
  first.answer(undefined)
  ;(await held.nth(2)).answer(kept("the answer"))
  const got = await Promise.all(answers)
  expect(got.map(({ status }) => status).toSorted()).toEqual([...Array<number>(9).fill(200), 502])
  expect(held.waiting).toHaveLength(2)
}, 60_000)

test("it fails again: all are told, and the origin was asked twice", async () => {
  const { edge, held } = await start('collapse = "30s"')
  const answers = Array.from({ length: 10 }, () => get(edge, "/a"))
  const first = await held.nth(1)
  await arrived(edge, 10)
  first.answer(undefined)
  ;(await held.nth(2)).answer(undefined)
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array<number>(10).fill(502))
  expect(held.waiting).toHaveLength(2)
}, 60_000)

test("the first leaves: the others get its answer, and it is stored", async () => {
  const { edge, held } = await start('collapse = "30s"')
  const leaving = new AbortController()
  const first = fetch(edge.url("/a"), { signal: leaving.signal }).catch(() => "left")
  const asked = await held.nth(1)
  const others = Array.from({ length: 5 }, () => get(edge, "/a"))
  await arrived(edge, 6)
  leaving.abort()
  expect(await first).toBe("left")
  asked.answer(kept("the answer"))
  for (const { text } of await Promise.all(others)) expect(text).toBe("the answer")
  expect((await get(edge, "/a")).said).toBe("edge; hit")
  expect(held.waiting).toHaveLength(1)
}, 60_000)

test("the only one leaves: it is stored all the same", async () => {
  const { edge, held } = await start()
  const leaving = new AbortController()
  const first = fetch(edge.url("/a"), { signal: leaving.signal }).catch(() => "left")
  const asked = await held.nth(1)
  leaving.abort()
  await first
  asked.answer(kept("the answer"))
  await until(async () => (await get(edge, "/a")).said === "edge; hit")
  expect(held.waiting).toHaveLength(1)
}, 60_000)

test("who has waited long enough asks for himself", async () => {
  const { edge, held } = await start('collapse = "200ms"')
  const first = get(edge, "/a")
  const asked = await held.nth(1)
  const second = get(edge, "/a")
  ;(await held.nth(2)).answer(kept("second"))
  expect((await second).text).toBe("second")
  asked.answer(kept("first"))
  expect((await first).text).toBe("first")
}, 60_000)

test("many who find it stale: one asks", async () => {
  const { edge, held } = await start('collapse = "30s"')
  const first = get(edge, "/a")
  ;(await held.nth(1)).answer({ status: 200, headers: [["Cache-Control", "max-age=0"], ["ETag", '"1"']], body: "the answer" })
  await first
  const answers = Array.from({ length: 20 }, () => get(edge, "/a"))
  const again = await held.nth(2)
  await arrived(edge, 20)
  expect(again.got.headers.get("if-none-match")).toBe('"1"')
  again.answer({ status: 304, headers: [["Cache-Control", "max-age=600"]], body: "" })
  for (const { text } of await Promise.all(answers)) expect(text).toBe("the answer")
  expect(held.waiting).toHaveLength(2)
}, 60_000)

test("stale while it is fetched anew: nobody waits, one asks", async () => {
  const { edge, held } = await start()
  const first = get(edge, "/a")
  ;(await held.nth(1)).answer({ status: 200, headers: [["Cache-Control", "max-age=0, stale-while-revalidate=600"]], body: "old" })
  await first
  for (let i = 0; i < 10; i++) expect((await get(edge, "/a")).text).toBe("old")
  expect(held.waiting).toHaveLength(2)
  held.waiting[1]!.answer(kept("new"))
  await until(async () => (await get(edge, "/a")).text === "new")
  expect(held.waiting).toHaveLength(2)
}, 60_000)

test("what was invalidated while it was fetched is not stored", async () => {
  const { edge, held } = await start()
  const reading = get(edge, "/a")
  const asked = await held.nth(1)
  const writing = fetch(edge.url("/a"), { method: "PUT", body: "new", keepalive: false })
  ;(await held.nth(2)).answer({ status: 204, headers: [], body: "" })
  await writing
  asked.answer(kept("old"))
  expect((await reading).text).toBe("old")
  const after = get(edge, "/a")
  ;(await held.nth(3)).answer(kept("new"))
  expect((await after).text).toBe("new")
}, 60_000)

test("what was purged while it was fetched is not stored", async () => {
  const { edge, held } = await start()
  const reading = get(edge, "/a")
  const asked = await held.nth(1)
  await edge.command("purge", "--tag", "red")
  asked.answer(kept("old", [["Surrogate-Key", "red"]]))
  await reading
  const after = get(edge, "/a")
  ;(await held.nth(2)).answer(kept("new"))
  expect((await after).text).toBe("new")
}, 60_000)
