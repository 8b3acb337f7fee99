import { expect, test } from "bun:test"
import { HeaderList, Prepared, Reply } from "edge"
import { setUp } from "../../../test/kit/context.ts"
import { ask } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

async function value(options: unknown, reply: () => Reply = () => Reply.text(200, "x")): Promise<string | null> {
  return (await ask((await setUp(plugin, options))(reply), "/")).headers.get("cache-control")
}

test.each([
  ["365d", "max-age=31536000"],
  ["0", "max-age=0"],
  ["no-store", "no-store"],
  ["public, max-age=60", "public, max-age=60"],
  [{ max_age: "1h", public: true, immutable: true }, "max-age=3600, public, immutable"],
  [{ s_maxage: "1m", max_age: "0", stale_while_revalidate: "30s" }, "max-age=0, s-maxage=60, stale-while-revalidate=30"],
])("%p", async (options, want) => {
  const got = await value(options)
  expect(got!.split(", ").toSorted()).toEqual(want.split(", ").toSorted())
})

test("what an app said stays, and what has a cookie is not made storable", async () => {
  const own = (...lines: string[]) => () => new Reply(200, new HeaderList(lines), "x")
  expect(await value("365d", own("Cache-Control", "private"))).toBe("private")
  expect(await value("365d", own("Set-Cookie", "a=b"))).toBe(null)
  expect(await value({ max_age: "1s", override: true }, own("Cache-Control", "private"))).toBe("max-age=1")
})

test("errors do not stay for a year; 304 and redirects are as 200", async () => {
  for (const status of [400, 404, 500, 503]) expect(await value("365d", () => Reply.text(status, "x"))).toBe(null)
  for (const status of [200, 206, 301, 304]) expect(await value("365d", () => new Reply(status))).toBe("max-age=31536000")
})

test("an answer from memory stays one", async () => {
  const prepared = new Prepared(200, [], "x")
  const got = await ask((await setUp(plugin, "1s"))(() => prepared.reply()), "/")
  expect(got.wire).toContain("Cache-Control: max-age=1\r\n")
})

test.each(["forever", "max-age=1\r\nX: y", "", {}, { max_age: 5 }, { maxage: "1s" }])("%p is refused", async options => {
  await expect(value(options)).rejects.toThrow()
})
