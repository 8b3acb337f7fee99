/** 10,000 sites in one config, through the executable: each answers for itself, and names that nobody has do not. */
import { expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"

const n = 10_000

test("10,000 sites", async () => {
  const sites = Array.from({ length: n }, (_, i) => `[[site]]\nhosts = ["s${i}.test", "*.w${i}.test"]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\npath = "/deep/*"\nrespond = "deep ${i}"\n[[site.route]]\nrespond = "site ${i}"\n`)
  const main = '[server]\nfronts = 1\n[log]\naccess = { format = "off" }\n'
  await using edge = await Edge.start({
    config: `include = ["sites/*.toml"]\n${main}`,
    files: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`sites/${i}.toml`, sites.slice(i * 1000, (i + 1) * 1000).join("")])),
  })
  const ask = async (host: string, path = "/") => {
    const response = await fetch(edge.url(path), { headers: { Host: host } })
    return response.status === 200 ? await response.text() : response.status
  }
  for (const i of [0, 1, 999, 1000, 5678, n - 1]) {
    expect(await ask(`s${i}.test`)).toBe(`site ${i}`)
    expect(await ask(`S${i}.TEST:80`, "/deep/x")).toBe(`deep ${i}`)
    expect(await ask(`a.b.w${i}.test`)).toBe(`site ${i}`)
  }
  expect([await ask(`s${n}.test`), await ask("w1.test"), await ask("x.s1.test")]).toEqual([421, 421, 421])
}, 120_000)
