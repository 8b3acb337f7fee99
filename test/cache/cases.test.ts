/** Every case of `cases/` through the executable; all in one edge, each with options of its own in a site of its own. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { bodyOf, type Case, type Part, readCases, type Step } from "./format.ts"
import { type Answer, Origin } from "./origin.ts"

const cases = readCases(join(import.meta.dir, "cases"))
/** Answers that origins are to give next, by folder of the case. */
const scripts = new Map<string, Part | undefined>()
let edge: Edge
let origin: Origin

const siteOf = (options: string) => `s${[...new Set(cases.map(one => one.options))].indexOf(options)}.test`
const folderOf = ({ name }: Case) => `/${name.replaceAll(/[^a-z0-9]+/gi, "-")}`

beforeAll(async () => {
  origin = new Origin(({ target }) => answerOf(target))
  const sites = [...new Set(cases.map(one => one.options))].map(
    options => `[[site]]\nhosts = ["${siteOf(options)}"]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\nuse = [{ cache = { ${options} } }]\nproxy = "http://127.0.0.1:${origin.port}"\n`,
  )
  edge = await Edge.start({ config: `[server]\nfronts = 1\ntrusted_proxies = ["127.0.0.0/8"]\n[log]\naccess = { path = "-", format = "off" }\n${sites.join("")}` })
}, 120_000)

afterAll(async () => {
  await edge[Symbol.asyncDispose]()
  origin.stop()
})

function answerOf(target: string): Answer {
  const folder = `/${target.split("/")[1]!.split("?")[0]!}`
  const part = scripts.get(folder)
  // An upstream that closes is asked again.
  if (part?.head !== "cut") scripts.set(folder, undefined)
  if (part === undefined) return { status: 500, headers: [["X-Unexpected", "1"]], body: "the origin was not to be asked" }
  if (part.head === "cut") return undefined
  return { status: Number(part.head), headers: part.lines.map(([name, value]) => [name, fill(value, folder)]), body: bodyOf(part) ?? "" }
}

/** {} is the folder; {now-60} a date of a minute ago. */
function fill(text: string, folder: string): string {
  return text.replaceAll("{}", folder).replaceAll(/\{now([+-]\d+)\}/g, (_, seconds: string) => new Date(Date.now() + Number(seconds) * 1000).toUTCString())
}

for (const one of cases) {
  test(one.name, async () => {
    for (const [i, step] of one.steps.entries()) await play(one, step, i + 1)
  }, 30_000)
}

async function play(one: Case, step: Step, number: number): Promise<void> {
  const folder = folderOf(one)
  const [method = "GET", path = "/"] = step.ask.head.split(" ")
  scripts.set(folder, step.origin)
  const before = origin.got.length
  const url = `http://127.0.0.1:${edge.port()}${path.startsWith("/") ? folder + path : fill(path, folder)}`
  const body = bodyOf(step.ask)
  const answer = await fetch(url, {
    method,
    headers: [["Host", siteOf(one.options)], ...step.ask.lines.map(([name, value]) => [name, fill(value, folder)] as [string, string])],
    redirect: "manual",
    ...(body !== undefined && body !== "" && { body }),
  })
  const text = await answer.text()
  const got = { status: answer.status, headers: answer.headers, text, step: number }
  const askedNow = () => origin.got.slice(before).filter(({ target }) => target.startsWith(folder))
  // A stale answer is given at once; that a new one is asked for comes a moment later.
  if (step.origin !== undefined && got.headers.get("cache-status")?.includes("detail=stale-while-revalidate") === true) await until(() => askedNow().length > 0)
  const asked = askedNow()
  expect({ step: number, asked: asked.length > 0, status: got.status }).toEqual({ step: number, asked: step.origin !== undefined, status: statusOf(step) })
  check(step.saw, asked[0]?.headers ?? new Headers(), `${one.name}, step ${number}, as the origin saw it`)
  check(step.get, answer.headers, `${one.name}, step ${number}`)
  const want = bodyOf(step.get)
  if (want !== undefined) expect({ step: number, text }).toEqual({ step: number, text: fill(want, folder) })
}

/** As the origin said, unless the step says otherwise; a 304 is for the cache. */
function statusOf({ get, origin: said }: Step): number {
  const status = Number(get?.head ?? said?.head ?? 200)
  return status === 304 && get === undefined ? 200 : status
}

function check(part: Part | undefined, headers: Headers, where: string): void {
  for (const [name, value] of part?.lines ?? []) {
    const has = headers.get(name)
    const want = fill(value, "")
    const seen = `${where}: ${name}: ${has}`
    if (value === "-") expect(has, seen).toBeNull()
    else if (value === "?") expect(has, seen).not.toBeNull()
    else if (value.startsWith("~")) expect(has, seen).toContain(value.slice(1))
    else expect(has, seen).toBe(want)
  }
}
