import { describe, expect, test } from "bun:test"
import * as v from "valibot"
import { State } from "./generation/state.ts"
import { createLogger } from "./log/logger.ts"
import { checkOptions } from "./options.ts"
import { definePlugin } from "./plugin.ts"
import type { Store } from "./contract/store.ts"

const shape = { max: "number", name: "text", any: "any", both: "text|list", on: "boolean", run: "function", more: "object" } as const

test.each([
  [{ mx: 1 }, 'f(): unknown option "mx"; did you mean "max"?'],
  [{ zzzzzzz: 1 }, 'f(): unknown option "zzzzzzz"; allowed: max, name, any, both, on, run, more'],
  [{ max: "80" }, 'f(): option "max" must be a number, not a text'],
  [{ max: Number.NaN }, 'f(): option "max" must be a number, not NaN'],
  [{ max: null }, 'f(): option "max" must be a number, not null'],
  [{ both: 5 }, 'f(): option "both" must be a text or a list, not a number'],
  [{ on: "true" }, 'f(): option "on" must be true or false, not a text'],
  [{ more: [] }, 'f(): option "more" must be an object, not a list'],
  [{ run: {} }, 'f(): option "run" must be a function, not an object'],
  [{ toString: 1 }, 'f(): unknown option "toString"'],
  [JSON.parse('{"__proto__":1}'), 'f(): unknown option "__proto__"'],
  [null, "f(): expected an object of options, not null"],
  ["x", "f(): expected an object of options, not a text"],
  [[1], "f(): expected an object of options, not a list"],
])("%j is refused with words", (options, words) => {
  expect(() => checkOptions("f()", options, shape)).toThrow(words)
})

test("what is right, absent or undefined passes", () => {
  for (const options of [undefined, {}, { max: undefined }, { max: 1, name: "", any: null, both: ["a"], on: false, run: () => {}, more: new Map() }]) checkOptions("f()", options, shape)
})

describe("the border of edge", () => {
  test("definePlugin", () => {
    const good = { name: "x", kind: "middleware", config: v.strictObject({}), setup: () => ({ part: (next: unknown) => next }) }
    expect(definePlugin(good as never)).toBe(good as never)
    expect(() => definePlugin({ ...good, setpu: 1 } as never)).toThrow('definePlugin(): unknown option "setpu"; did you mean "setup"?')
    expect(() => definePlugin({ ...good, setup: "x" } as never)).toThrow("must be a function")
  })

  test("the shared state, whatever store it is kept in", async () => {
    const asked: unknown[] = []
    const note = (name: string) => async (...args: unknown[]) => void asked.push([name, ...args])
    const state = new State(createLogger({ level: "error", format: "text" }))
    state.adopt({ name: "test", store: { reach: "machine", set: note("set"), increment: note("increment"), compareAndSet: note("cas") } as unknown as Store })
    await expect(state.increment("a:b", 1, { ttlMs: 5 } as never)).rejects.toThrow("store.increment(): ttlMs must be a number, not an object")
    await expect(state.increment("a:b", undefined as never, 5)).rejects.toThrow("store.increment(): by must be a number, not undefined")
    await expect(state.set("a:b", "x", { ttl: 5 } as never)).rejects.toThrow('unknown option "ttl"; did you mean "ttlMs"?')
    await expect(state.set("a:b", "x", 5 as never)).rejects.toThrow("expected an object of options")
    await expect(state.compareAndSet("a:b", { expected: null, value: "x", ttl: 5 } as never)).rejects.toThrow("unknown option")
    await expect(state.compareAndSet("a:b", { value: "x" } as never)).rejects.toThrow("must be given")
    expect(asked).toEqual([])
    await state.increment("a:b", 1, 5)
    expect(asked).toEqual([["increment", "a:b", 1, 5]])
  })
})
