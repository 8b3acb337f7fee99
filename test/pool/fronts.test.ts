import { afterEach, expect, test } from "bun:test"
import { join } from "node:path"
import { Rig, type RigOptions, until } from "./rig.ts"

let rig: Rig
afterEach(() => rig.stop())
const start = (options: RigOptions = {}) => (rig = new Rig(options)).start(1)

/** A front in a process of its own. */
async function spawn(o: { front: number; clients: number; path: string }) {
  const state = [rig.state.page!, JSON.stringify(rig.spec), JSON.stringify(rig.state.workers)]
  const argv = [process.execPath, join(import.meta.dir, "front.ts"), ...state, String(o.front), String(o.clients), o.path]
  const child = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", stderr: "inherit" })
  const reader = child.stdout.getReader()
  const first = new TextDecoder().decode((await reader.read()).value)
  expect(first).toContain("sending")
  return {
    async kill() {
      child.kill("SIGKILL")
      await child.exited
      rig.pool.frontGone(o.front)
    },
    async finish() {
      await child.stdin.end()
      let text = ""
      for (let got = await reader.read(); !got.done; got = await reader.read()) text += new TextDecoder().decode(got.value)
      await child.exited
      rig.pool.frontGone(o.front)
      return JSON.parse(text) as Record<string, number>
    },
  }
}

test("a front that dies gives its slots back once the worker is done with them, not before", async () => {
  await start({ gateway: { workers: 1 } })
  const other = await spawn({ front: 1, clients: 1, path: "/spin/1200" })
  await until(() => rig.pool.status()[0]!.active === 1, "it runs")
  await other.kill()
  // the worker still spins: its slot is not free
  await Bun.sleep(300)
  expect(rig.pool.status()[0]!.active).toBe(1)
  expect((await rig.fronts[0]!.get("/most")).text).toBe("1")
  await until(() => rig.pool.status()[0]!.active === 0, "the slot is free")
}, 20_000)

for (const blocking of [false, true]) {
  test(`fronts killed with -9 under load, ${blocking ? "with" : "without"} requests sent ahead: the others lose nothing, no slot is lost or given twice`, async () => {
    await start({ gateway: { workers: 2 }, blocking })
    const steady = await spawn({ front: 1, clients: 6, path: "/spin/1" })
    for (let front = 2; front < 7; front++) {
      const victim = await spawn({ front, clients: 6, path: "/spin/1" })
      await Bun.sleep(20 * front)
      await victim.kill()
    }
    await Bun.sleep(200)
    const statuses = await steady.finish()
    expect(Object.keys(statuses)).toEqual(["200"])
    expect(statuses[200]).toBeGreaterThan(100)
    await until(() => rig.pool.status().every(w => w.active === 0), "every slot is free")
    // both workers answer, and neither ever had two at once
    const most = new Set<string>()
    for (let i = 0; i < 4; i++) most.add((await rig.fronts[0]!.get("/most")).text)
    expect([...most]).toEqual(["1"])
    expect(rig.said("worker died")).toBeUndefined()
  }, 30_000)
}
