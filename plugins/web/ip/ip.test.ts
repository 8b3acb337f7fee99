import { expect, test } from "bun:test"
import { type Handler, HttpError, Reply } from "edge"
import { setUp } from "../../../test/kit/context.ts"
import { exchange, seen } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

async function lets(options: unknown, peers: readonly string[]): Promise<boolean[]> {
  const handler = ((await setUp(plugin, options)) as (next: Handler) => Handler)(() => Reply.text(200, "in"))
  const found: boolean[] = []
  for (const peer of peers) {
    try {
      await seen(handler, exchange("/", { conn: { peer } }))
      found.push(true)
    } catch (error) {
      expect((error as HttpError).status).toBe(403)
      found.push(false)
    }
  }
  return found
}

test("allow alone shuts all others out", async () => {
  const peers = ["10.1.2.3", "11.0.0.1", "127.0.0.1", "127.0.0.2", "2001:db8::5", "2001:db9::5", "::ffff:10.9.9.9", "::ffff:11.9.9.9", "unix", "nonsense"]
  expect(await lets({ allow: ["10.0.0.0/8", "127.0.0.1", "2001:db8::/32"] }, peers)).toEqual([true, false, true, false, true, false, true, false, false, false])
})

test("deny alone lets all others in; with both, deny goes first", async () => {
  expect(await lets({ deny: ["192.0.2.0/25", "unix"] }, ["192.0.2.127", "192.0.2.128", "::1", "unix"])).toEqual([false, true, true, false])
  expect(await lets({ allow: ["10.0.0.0/8"], deny: ["10.0.0.5/32"] }, ["10.0.0.5", "10.0.0.6", "1.1.1.1"])).toEqual([false, true, false])
})

test("rules in order, the first that fits decides", async () => {
  const rules = ["deny 10.0.0.5", "allow 10.0.0.0/8", "allow ::ffff:192.0.2.0/120", "allow unix", "deny all"]
  expect(await lets({ rules }, ["10.0.0.5", "10.0.0.6", "192.0.2.9", "192.0.3.9", "unix", "::1"])).toEqual([false, true, true, false, true, false])
  expect(await lets({ rules: ["allow all", "deny all"] }, ["1.1.1.1", "::1", "unix"])).toEqual([true, true, true])
  expect(await lets({ rules: ["deny 0.0.0.0/1"] }, ["127.255.255.255", "128.0.0.0", "::"])).toEqual([false, true, true])
})

test("odd prefix lengths and every bit", async () => {
  expect(await lets({ allow: ["172.16.0.0/12", "fe80::/10", "2001:db8::1/127"] }, ["172.31.255.255", "172.32.0.0", "febf::1", "fec0::1", "2001:db8::", "2001:db8::2"])).toEqual([
    true, false, true, false, true, false,
  ])
})

test("many clients do not fill memory, and answers stay right", async () => {
  const peers = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`)
  const found = await lets({ deny: ["10.3.0.0/16"] }, peers)
  expect(found.filter(let_ => !let_)).toHaveLength(256)
})

test.each([[{ allow: ["10.0.0.0/33"] }], [{ rules: ["permit all"] }], [{ rules: ["allow"] }], [{ rules: ["deny all"], deny: ["::1"] }], [{ alow: [] }]])("%p is refused", async options => {
  await expect(setUp(plugin, options)).rejects.toThrow()
})
