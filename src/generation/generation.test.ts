import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Config } from "../config/config.ts"
import { configFromText } from "../config/load.ts"
import { type Generation, type GenerationHost, setUp } from "./generation.ts"
import { createLogger } from "../log/logger.ts"
import { makePlan } from "./plan.ts"
import type { AppLink } from "../contract/gateway.ts"
import type { Exchange } from "../http/message/exchange.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-generation-"))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function write(name: string, text: string): void {
  const file = join(dir, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** What the parts below do, in order. */
const events: string[] = []
;(globalThis as { edgeTestEvents?: string[] }).edgeTestEvents = events

// A web layer whose handlers and middleware are children, and an own gateway, runtime and framework.
write(
  "layers.ts",
  `import { definePlugin, PASS, Reply, HeaderList } from "edge"
import * as v from "valibot"
const events = globalThis.edgeTestEvents
const live = (name, part, fails) => ({
  part,
  start() { events.push("start " + name); if (fails === "start") throw new Error(name + " will not start") },
  stop() { events.push("stop " + name); if (fails === "stop") throw new Error(name + " will not stop") },
})
const reply = text => new Reply(200, new HeaderList([]), text)
export default [
  definePlugin({
    name: "tiny", kind: "web",
    config: v.strictObject({ use: v.optional(v.array(v.any()), []), end: v.optional(v.any()), fails: v.optional(v.string()), to: v.optional(v.string()) }),
    async setup({ use, end, fails, to }, ctx) {
      const handler = to === undefined ? await ctx.make("handler", end) : ctx.app(to)
      const chain = []
      for (const one of use) chain.push(await ctx.make("middleware", one))
      return live("web", { bindings: [{ address: "127.0.0.1:0", handler: chain.reduceRight((next, wrap) => wrap(next), handler), urls: ["http://x/"] }] }, fails)
    },
  }),
  definePlugin({
    name: "say", kind: "handler", config: v.strictObject({ text: v.string(), fails: v.optional(v.string()) }),
    setup: ({ text, fails }, ctx) => live("say " + text + " at " + ctx.at, x => x.path === "/again" ? ctx.redispatch(x.with({ path: "/" })) : reply(text), fails),
  }),
  definePlugin({
    name: "mark", kind: "middleware", config: v.strictObject({ n: v.optional(v.number(), 0), fails: v.optional(v.string()) }),
    setup: ({ n, fails }) => live("mark " + n, next => next, fails),
  }),
  definePlugin({
    name: "near", kind: "gateway", config: v.strictObject({ limit: v.optional(v.number(), 7) }),
    setup: (config) => ({ part: { supervise() { throw new Error("not here") }, async connect(app) { return live("app " + app.name, x => reply("app " + app.name)) } } }),
  }),
  definePlugin({
    name: "rt", kind: "runtime", config: v.strictObject({ entry: v.string(), fails: v.optional(v.boolean(), false) }),
    setup: ({ entry, fails }) => ({ part: { concurrency: 3, inline: true, launch: app => {
      if (fails) throw new Error("nothing to launch")
      return { argv: ["run", entry], cwd: app.dir, env: app.env, transport: "http", socket: "bind" }
    } } }),
  }),
  definePlugin({ name: "fw", kind: "framework", config: v.strictObject({ title: v.optional(v.string(), "t") }), setup: () => ({ part: { load: async () => ({ fetch: () => new Response("") }) } }) }),
]
`,
)

const head = `[plugins]\nlayers = "./layers.ts"\n[layers]\nweb = "tiny"\ngateway = "near"\nframework = "fw"\n`
const host: GenerationHost = { log: createLogger({ level: "error", format: "text", write: line => events.push(`log ${line.replace(/^\S+ /, "")}`) }), dev: false }

async function make(text: string, more: Partial<GenerationHost> = {}): Promise<{ generation: Generation; config: Config }> {
  events.length = 0
  const config = await configFromText(text, { file: join(dir, "site.toml"), env: {} })
  return { generation: await setUp(config, { ...host, ...more }), config }
}

async function refused(promise: Promise<unknown>): Promise<string[]> {
  const error = (await promise.then(() => new Error("it was accepted"), (e: unknown) => e)) as Error
  return error.message.split("\n").map(line => line.replace(/\S*edge-generation-[^/]*\//g, ""))
}

const never = new AbortController().signal
const link = {} as AppLink

describe("life", () => {
  const text = `use = ["mark", { mark = { n = 1 } }]\nend = { say = { text = "hi" } }\n${head}`

  test("setUp starts nothing; parts start children first and stop in reverse", async () => {
    const { generation } = await make(text)
    expect(events).toEqual([])
    await generation.start()
    expect(events).toEqual(["start say hi at end.say", "start mark 0", "start mark 1", "start web"])
    await generation.stop(never)
    expect(events.slice(4)).toEqual(["stop web", "stop mark 1", "stop mark 0", "stop say hi at end.say"])
    await generation.stop(never)
    expect(events).toHaveLength(8)
  })

  test("when one does not start, those that did are stopped, and the error has its place", async () => {
    const { generation } = await make(text.replace("n = 1", 'n = 1, fails = "start"'))
    expect(await refused(generation.start())).toEqual(['site.toml:1:25: use[1].mark: middleware "mark" cannot start: layers.ts:6:76: mark 1 will not start'])
    expect(events).toEqual(["start say hi at end.say", "start mark 0", "start mark 1", "stop mark 0", "stop say hi at end.say"])
  })

  test("one that does not stop is logged, and the others stop all the same", async () => {
    const { generation } = await make(text.replace("n = 1", 'n = 1, fails = "stop"'))
    await generation.start()
    await generation.stop(never)
    expect(events.slice(4).map(event => event.replace(/ part=.*/, ""))).toEqual([
      "stop web",
      "stop mark 1",
      "log ERROR a part did not stop as it should",
      "stop mark 0",
      "stop say hi at end.say",
    ])
  })

  test("the end of a generation aborts the signal of its parts", async () => {
    write("signal.ts", `import { definePlugin } from "edge"
import * as v from "valibot"
export default definePlugin({ name: "listens", kind: "middleware", config: v.strictObject({}), setup(_, ctx) {
  ctx.signal.addEventListener("abort", () => globalThis.edgeTestEvents.push("aborted"))
  return { part: next => next }
} })`)
    const { generation } = await make(text.replace('"mark", ', '"listens", ').replace("[plugins]", '[plugins]\nsignal = "./signal.ts"'))
    await generation.start()
    await generation.stop(never)
    expect(events).toContain("aborted")
  })
})

describe("apps", () => {
  const text = `to = "a"\n${head}[app.a]\nruntime = "rt"\nentry = "x.ts"\ntitle = "T"\nenv = { A = 1 }\ntimeout = "5s"\n`

  test("keys are split between kernel, runtime, gateway and framework", async () => {
    const { generation } = await make(text)
    const [app] = generation.apps
    expect(app?.spec).toEqual({
      name: "a", dir, runtime: "rt", gateway: "near", framework: "fw", frameworkFile: join(dir, "layers.ts"),
      env: { A: "1" }, concurrency: 3, timeoutMs: 5000,
      options: { runtime: { entry: "x.ts", fails: false }, gateway: { limit: 7 }, framework: { title: "T" } },
    })
    expect(app?.launch).toEqual({ argv: ["run", "x.ts"], cwd: dir, env: { A: "1" }, transport: "http", socket: "bind" })
    expect(app?.external).toBe(true)
  })

  test("a route to an app is bound when its gateway is connected", async () => {
    const asked: string[] = []
    const { generation } = await make(text, { link: name => (asked.push(name), link) })
    const { handler } = generation.bindings[0]!
    expect(() => handler({} as Exchange)).toThrow('the app "a" is not connected')
    await generation.start()
    expect(asked).toEqual(["a"])
    expect(events).toEqual(["start app a", "start web"])
    expect(await handler({} as Exchange)).toMatchObject({ status: 200, body: "app a" })
    await generation.stop(never)
    expect(events.slice(2)).toEqual(["stop web", "stop app a"])
  })

  test("without a link nothing is connected", async () => {
    const { generation } = await make(text)
    await generation.start()
    expect(events).toEqual(["start web"])
    await generation.stop(never)
  })

  test("what cannot be launched is told at its place", async () => {
    expect(await refused(make(text.replace('title = "T"', "fails = true")))).toEqual([
      'site.toml:8:6: app.a: runtime "rt" cannot be set up: layers.ts:36:28: nothing to launch',
    ])
  })

  test("the plan is plain data, and the config in it is the very same", async () => {
    const { generation, config } = await make(text)
    const plan = JSON.parse(JSON.stringify(makePlan(generation, config))) as ReturnType<typeof makePlan>
    expect(plan).toMatchObject({
      addresses: [{ address: "127.0.0.1:0", urls: ["http://x/"] }],
      apps: [{ gatewayName: "near", external: true, launch: { argv: ["run", "x.ts"] } }],
      server: { graceMs: 30_000, control: join(dir, "edge.sock"), limits: { headBytes: 16_384, bodyBytes: 104_857_600 } },
      log: { level: "info", access: { path: "-" } },
    })
    const again = await setUp(Config.fromJSON(plan.config), host)
    expect(again.apps[0]?.spec).toEqual(generation.apps[0]!.spec)
  })
})

test("redispatch goes through the same address again", async () => {
  const { generation } = await make(`end = { say = { text = "hi" } }\n${head}`)
  const conn = { local: "127.0.0.1:0" }
  const x = { path: "/again", conn, with: () => ({ path: "/", conn }) } as unknown as Exchange
  expect(await generation.bindings[0]!.handler(x)).toMatchObject({ body: "hi" })
})

test("a setup that does not end is an error", async () => {
  write("slow.ts", `import { definePlugin } from "edge"
import * as v from "valibot"
export default definePlugin({ name: "slow", kind: "middleware", config: v.strictObject({}), setup: () => new Promise(() => {}) })`)
  const text = `use = ["mark", "slow"]\nend = { say = { text = "hi" } }\n${head.replace("[plugins]", '[plugins]\nslow = "./slow.ts"')}`
  expect(await refused(make(text, { setupMaxMs: 20 }))).toEqual([
    'site.toml:1:16: use[1]: middleware "slow" was not set up within 0.02 s; setup must not wait for sockets or processes',
  ])
})

describe("places", () => {
  test("a bare name is found where it stands, in order", async () => {
    expect(await refused(make(`use = ["mark", "mrk", { mrak = {} }]\nend = { say = { text = 5 } }\n${head}`))).toEqual([
      'site.toml:1:16: use[1]: no middleware named "mrk"; did you mean "mark"?',
      'site.toml:1:25: use[2]: no middleware named "mrak"; did you mean "mark"?',
      "site.toml:2:24: end.say.text: expected text in quotes, found 5",
    ])
  })

  test("an app that is not there", async () => {
    expect(await refused(make(`to = "b"\n${head}[app.bb]\nruntime = "rt"\nentry = "x"\n`))).toEqual(['site.toml:1:6: to: no app named "b"; did you mean "bb"?'])
  })

  test("what is wrong in several sections is told at once, in the order of the file", async () => {
    expect(await refused(make(`nd = 1\n${head}[server]\ngrace = 1\n[app.a]\nruntime = "rt"\nentry = 1\n`))).toEqual([
      'site.toml:1:1: unknown key "nd"; did you mean "end"?',
      'site.toml:9:9: server.grace: expected a duration such as "500ms", "30s", "5m" or "1h", found 1',
      "site.toml:12:9: app.a.entry: expected text in quotes, found 1",
    ])
  })
})
