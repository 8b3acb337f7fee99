import { expect, test } from "bun:test"
import type { Store } from "../contract/store.ts"
import { State } from "./state.ts"
import { type LogLine, logTo } from "../../test/kit/context.ts"

/** A store whose every operation does what `how` says. */
function storeThat(how: () => Promise<never>): { store: Store; resets(): number } {
  let resets = 0
  const store = { reach: "machines", get: how, set: how, compareAndSet: how, delete: how, increment: how, publish: how, subscribe: how, reset: () => void resets++ }
  return { store: store as unknown as Store, resets: () => resets }
}

test("an outage is said once, its end too", async () => {
  const lines: LogLine[] = []
  let fails = true
  const { store } = storeThat(() => (fails ? Promise.reject(new Error("refused")) : (Promise.resolve(null) as Promise<never>)))
  const state = new State(logTo(lines))
  state.adopt({ name: "redis", store })
  expect(state.reach).toBe("machines")
  for (let i = 0; i < 3; i++) await expect(state.get("a")).rejects.toThrow("refused")
  fails = false
  for (let i = 0; i < 3; i++) expect(await state.get("a")).toBe(null)
  expect(lines.map(line => `${line.level} ${line.message}`)).toEqual(["error the shared state (redis) is gone; what needs it goes on without", "info the shared state (redis) is back"])
})

test("an operation without an answer fails in time, and the store connects anew", async () => {
  const { store, resets } = storeThat(() => new Promise(() => {}))
  const state = new State(logTo([]), 20)
  state.adopt({ name: "redis", store })
  await expect(state.set("a", "b")).rejects.toThrow("no answer within 0.02 s")
  expect(resets()).toBe(1)
})

test("a store that throws in place of rejecting is no different", async () => {
  const { store } = storeThat(() => {
    throw new Error("defect")
  })
  const state = new State(logTo([]))
  state.adopt({ name: "x", store })
  await expect(state.increment("a", 1, 1)).rejects.toThrow("defect")
})

test("where there is none, that is said", async () => {
  await expect(new State(logTo([])).get("a")).rejects.toThrow("no shared state")
})

test("a subscription to a store that is gone begins when it is back, and says that messages may be missing", async () => {
  let up = false
  const listeners: ((message: string | null) => void)[] = []
  const { store } = storeThat((() => Promise.reject(new Error("down"))) as never)
  const live = { ...store, subscribe: (_: string, f: (message: string | null) => void) => {
    if (!up) return Promise.reject(new Error("down"))
    listeners.push(f)
    return Promise.resolve(() => void listeners.splice(listeners.indexOf(f), 1))
  } }
  const state = new State(logTo([]))
  state.adopt({ name: "x", store: live as never })
  const heard: (string | null)[] = []
  const end = await state.subscribe("c", message => heard.push(message))
  const ended = await state.subscribe("c", message => heard.push(`ended ${message}`))
  ended()
  up = true
  while (heard.length === 0) await Bun.sleep(20)
  for (const f of listeners) f("news")
  expect(heard).toEqual([null, "news"])
  end()
  for (const f of listeners) f("late")
  expect(heard).toEqual([null, "news"])
})
