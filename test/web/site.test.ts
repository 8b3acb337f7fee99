/** The web layer of the executable, from a site.toml, as a user meets it. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { renameSync } from "node:fs"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"

const css = "body { color: teal }\n".repeat(300)
const config = `
[server]
fronts = 2

[[site]]
hosts  = ["example.test", "*.example.test"]
listen = ["127.0.0.1:0"]
use    = ["compress", { headers = { set = { X-Frame-Options = "DENY" } } }]
errors = { 404 = "404.html" }

[[site.route]]
path   = "/assets/*"
use    = [{ cache_control = "365d" }]
static = { root = "public" }

[[site.route]]
path     = "/old/*"
redirect = { to = "/new/{rest}", status = 301 }

[[site.route]]
path    = "/ping"
respond = "pong"

[[site.route]]
path   = "/app/*"
strip  = "/app"
static = { root = "spa", spa = true }
`
const files = {
  "public/a.css": css,
  "public/v.txt": "0".repeat(2000),
  "spa/index.html": "<h1>app</h1>",
  "404.html": "<h1>gone</h1>",
}

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({ config, files })
}, 120_000)
afterAll(async () => {
  await edge[Symbol.asyncDispose]()
})

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(edge.url(path), { redirect: "manual", headers: { Host: "www.example.test", ...headers } })
}

test("a file, its headers from all layers, compressed and not", async () => {
  const plain = await get("/assets/a.css", { "Accept-Encoding": "identity" })
  expect(await plain.text()).toBe(css)
  expect(Object.fromEntries(["content-type", "cache-control", "x-frame-options", "vary", "content-encoding"].map(name => [name, plain.headers.get(name)]))).toEqual({
    "content-type": "text/css; charset=utf-8",
    "cache-control": "max-age=31536000",
    "x-frame-options": "DENY",
    vary: "Accept-Encoding",
    "content-encoding": null,
  })
  for (const encoding of ["br", "gzip", "zstd"]) {
    const response = await get("/assets/a.css", { "Accept-Encoding": encoding })
    expect([response.headers.get("content-encoding"), await response.text()]).toEqual([encoding, css])
    const again = await get("/assets/a.css", { "Accept-Encoding": encoding, "If-None-Match": response.headers.get("etag")! })
    expect([again.status, again.headers.get("cache-control")]).toEqual([304, "max-age=31536000"])
  }
})

test("redirect, respond, slash, single-page app, error page, unknown host", async () => {
  const status = async (path: string, headers?: Record<string, string>) => {
    const response = await get(path, headers)
    return [response.status, response.headers.get("location") ?? (await response.text())]
  }
  expect(await status("/old/a/b?q=1")).toEqual([301, "/new/a/b?q=1"])
  expect(await status("/ping")).toEqual([200, "pong"])
  expect(await status("/assets")).toEqual([308, "/assets/"])
  expect(await status("/app/users/7")).toEqual([200, "<h1>app</h1>"])
  expect(await status("/app/missing.js")).toEqual([404, "<h1>gone</h1>"])
  expect(await status("/assets/../../etc/passwd")).toEqual([404, "<h1>gone</h1>"])
  expect(await status("/", { Host: "other.test" })).toEqual([421, "421 Misdirected Request\n"])
})

test("a file that is replaced again and again: each answer is one version, whole, with its own tag", async () => {
  const tags = new Map<string, string>()
  let done = false
  const writing = (async () => {
    for (let i = 1; i <= 120; i++) {
      edge.write("public/v.new", String(i % 10).repeat(2000))
      renameSync(join(edge.dir, "public/v.new"), join(edge.dir, "public/v.txt"))
      await Bun.sleep(20)
    }
    done = true
  })()
  const read = async () => {
    while (!done) {
      const response = await get("/assets/v.txt")
      const text = await response.text()
      expect(text).toBe(text[0]!.repeat(2000))
      const etag = response.headers.get("etag")!
      expect(tags.get(etag) ?? text[0]!).toBe(text[0]!)
      tags.set(etag, text[0]!)
    }
  }
  await Promise.all([writing, read(), read(), read()])
  expect(tags.size).toBeGreaterThan(1)
  edge.write("public/v.txt", "last")
  let last = ""
  const from = performance.now()
  while (last !== "last") last = await (await get("/assets/v.txt")).text()
  // The promise is a second; the rest is for a busy machine.
  expect(performance.now() - from).toBeLessThan(5000)
})

test("a mistake in the file is refused with its place, and the old config goes on", async () => {
  const good = edge.read("site.toml")
  edge.write("site.toml", good.replace('use    = ["compress"', 'use    = ["compres"'))
  const { code, err, out } = await edge.command("reload")
  expect(code).toBe(1)
  expect(out + err).toContain('site.toml:8:11: site[0].use[0]: no middleware named "compres"; did you mean "compress"?')
  expect(await (await get("/ping")).text()).toBe("pong")
  edge.write("site.toml", good.replace('respond = "pong"', 'respond = "pong 2"'))
  expect((await edge.command("reload")).code).toBe(0)
  // A kept-alive connection is the old front's until it has said `Connection: close`.
  const fresh = await fetch(edge.url("/ping"), { keepalive: false, headers: { Host: "example.test", Connection: "close" } })
  expect(await fresh.text()).toBe("pong 2")
})
