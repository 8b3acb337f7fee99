/** A reload whose new fronts fail, at every step of their start: the old ones go on and no request is lost. */
import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { app, pong } from "./site.ts"
import { flow } from "./storm.ts"

setDefaultTimeout(60_000)

const good = `${pong()}
[app.app]
entry = "app/app.ts"
gateway = "inline"
`

/** A plugin whose parts do what the test says, but only inside a front: the check, which sets them up too, sees nothing. */
const plugin = (body: string) => `
import { definePlugin } from "edge"
import * as v from "valibot"
const inFront = process.argv.includes("__front")
const fail = why => { if (inFront) throw new Error(why) }
${body}
`
const middleware = (setup: string) => plugin(`export default definePlugin({ name: "bad", kind: "middleware", config: v.strictObject({}), setup: async () => { ${setup} } })`)

interface Fault {
  readonly files: Readonly<Record<string, string>>
  /** In the config beside the good one. */
  readonly config?: (good: string) => string
  /** What the reload says. */
  readonly says: RegExp
}

const withMiddleware = (text: string) => `[plugins]\nbad = "./bad.ts"\n${text.replace('path = "/ping"', 'path = "/ping"\nuse = ["bad"]')}`
const next = "return { part: next => next }"

const faults: Readonly<Record<string, Fault>> = {
  "its module throws": {
    files: { "bad.ts": plugin(`fail("module")\nexport default definePlugin({ name: "bad", kind: "middleware", config: v.strictObject({}), setup: () => ({ part: next => next }) })`) },
    config: withMiddleware,
    says: /module/,
  },
  "a setup throws": { files: { "bad.ts": middleware(`fail("in setup"); ${next}`) }, config: withMiddleware, says: /in setup/ },
  "a setup rejects later": { files: { "bad.ts": middleware(`await Bun.sleep(20); fail("setup later"); ${next}`) }, config: withMiddleware, says: /setup later/ },
  "a start throws": {
    files: { "bad.ts": middleware('return { part: next => next, start: () => fail("in start") }') },
    config: withMiddleware,
    says: /in start/,
  },
  "a start rejects later": {
    files: { "bad.ts": middleware('return { part: next => next, start: async () => { await Bun.sleep(20); fail("start later") } }') },
    config: withMiddleware,
    says: /start later/,
  },
  "the front exits": { files: { "bad.ts": middleware(`if (inFront) process.exit(3); ${next}`) }, config: withMiddleware, says: /exit code 3 before it was ready/ },
  "the front is killed": {
    files: { "bad.ts": middleware(`if (inFront) { process.kill(process.pid, "SIGKILL"); await Bun.sleep(1000) } ${next}`) },
    config: withMiddleware,
    says: /killed by SIGKILL before it was ready/,
  },
  "a timer throws before the first accept": {
    files: { "bad.ts": middleware(`if (inFront) { setTimeout(() => fail("in a timer")); await Bun.sleep(200) } ${next}`) },
    config: withMiddleware,
    says: /uncaught exception before the first accept: in a timer/,
  },
  "a promise is forgotten before the first accept": {
    files: { "bad.ts": middleware(`if (inFront) { void Promise.reject(new Error("forgotten")); await Bun.sleep(200) } ${next}`) },
    config: withMiddleware,
    says: /unhandled rejection before the first accept: forgotten/,
  },
  "an inline app throws when it is loaded": { files: { "app/app.ts": `throw new Error("in the app")` }, says: /in the app/ },
  "a store throws": {
    files: { "bad.ts": plugin(`export default definePlugin({ name: "bad", kind: "store", config: v.strictObject({}), setup: () => { fail("in the store"); return { part: {} } } })`) },
    config: text => `[plugins]\nbad = "./bad.ts"\n${text.replace("[server]", "[server]\nstate = { bad = {} }")}`,
    says: /in the store/,
  },
  "a gateway cannot connect": {
    files: {
      "bad.ts": plugin(`export default definePlugin({ name: "bad", kind: "gateway", config: v.strictObject({}), setup: () => ({ part: { connect: () => fail("in connect") } }) })`),
    },
    config: text => `[plugins]\nbad = "./bad.ts"\n${text.replace('gateway = "inline"', 'gateway = "bad"')}`,
    says: /in connect/,
  },
  "accepting throws": {
    files: {
      "bad.ts": plugin(`
        const handler = () => { throw new Error("not reached") }
        const binding = { address: "127.0.0.1:0", urls: [], handler }
        const late = { ...binding, get tls() { return inFront ? { certificates: [{ cert: "no", key: "no", hosts: [] }] } : undefined } }
        export default definePlugin({ name: "bad", kind: "web", config: v.looseObject({}), setup: () => ({ part: { bindings: [late] } }) })`),
    },
    config: text => `[plugins]\nbad = "./bad.ts"\n[layers]\nweb = "bad"\n${text.replace(/\[\[site[^]*?(?=\[app)/, "")}`,
    says: /cannot accept: /,
  },
  "the second address cannot be accepted from": {
    files: {
      "bad.ts": plugin(`
        const handler = () => { throw new Error("not reached") }
        const one = { address: "127.0.0.1:0", urls: [], handler: () => new Response("pong") }
        const other = { address: "127.0.0.2:0", urls: [], handler, get proxyProtocol() { return fail("second address") } }
        export default definePlugin({ name: "bad", kind: "web", config: v.looseObject({}), setup: () => ({ part: { bindings: [one, other] } }) })`),
    },
    config: text => `[plugins]\nbad = "./bad.ts"\n[layers]\nweb = "bad"\n${text.replace(/\[\[site[^]*?(?=\[app)/, "")}`,
    says: /cannot accept: second address/,
  },
}

describe("a reload whose fronts fail", () => {
  for (const [what, { files, config = (text: string) => text, says }] of Object.entries(faults))
    test(what, async () => {
      await using edge = await Edge.start({ config: good, files: { "app/app.ts": app } })
      const old = (await edge.status()).fronts.map(({ pid }) => pid)
      const traffic = flow(edge.port())
      for (const [name, text] of Object.entries(files)) edge.write(name, text)
      edge.write("site.toml", config(good))
      const { code, err } = await edge.command("reload")
      expect(err).toMatch(says)
      expect(code).toBe(1)
      edge.write("site.toml", good)
      edge.write("app/app.ts", app)
      const { fronts, generation } = await edge.status()
      expect(generation).toBe(1)
      expect(fronts.filter(({ state }) => state === "serving").map(({ pid }) => pid)).toEqual(old)
      expect((await edge.command("reload")).code).toBe(0)
      expect((await traffic.stop()).failures).toEqual({})
      await until(() => !old.some(alive))
    })

  test.skipIf(process.getuid?.() !== 0)("the fronts' user may not write the access log", async () => {
    const config = good.replace("[server]", '[server]\nuser = "www-data"')
    const prepare = (dir: string) => {
      mkdirSync(join(dir, "logs"))
      chmodSync(join(dir, "logs"), 0o700)
    }
    await using edge = await Edge.start({ config, files: { "app/app.ts": app }, prepare })
    const traffic = flow(edge.port())
    edge.write("site.toml", config.replace('format = "off"', 'path = "logs/access.log"'))
    const { code, err } = await edge.command("reload")
    expect(err).toMatch(/EACCES|permission denied/)
    expect(code).toBe(1)
    expect((await edge.status()).generation).toBe(1)
    expect((await traffic.stop()).failures).toEqual({})
  })

  test("the same at the start is an end with the reason", async () => {
    const { files, config } = faults["accepting throws"]!
    await using edge = await Edge.launch({ config: config!(good), files: { ...files, "app/app.ts": app } })
    expect(await edge.exited).toBe(1)
    expect(edge.output).toMatch(/cannot start: cannot accept: /)
  })
})
