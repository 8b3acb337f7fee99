/** `canonical` and `trailing_slash`, through the executable. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"

const config = `
[server]
fronts = 1

[[site]]
hosts     = ["bare.test", "*.bare.test"]
canonical = "bare"
listen    = ["127.0.0.1:0"]
use       = [{ headers = { set = { X-Site = "bare" } } }]
[[site.route]]
respond = "bare"

[[site]]
hosts     = ["w.test"]
canonical = "www"
listen    = ["127.0.0.1:0"]
[[site.route]]
respond = "www"

[[site]]
hosts     = ["old.test", "older.test", "new.test"]
canonical = "new.test"
listen    = ["127.0.0.1:0"]
[[site.route]]
respond = "new"

[[site]]
hosts          = ["add.test"]
trailing_slash = "add"
listen         = ["127.0.0.1:0"]
[[site.route]]
respond = "added"

[[site]]
hosts          = ["remove.test"]
trailing_slash = "remove"
listen         = ["127.0.0.1:0"]
[[site.route]]
path = "/deep/*"
respond = "deep"
[[site.route]]
static = { root = "public" }
`

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({ config, files: { "public/docs/index.html": "docs", "public/index.html": "home", "public/a.txt": "a" } })
}, 120_000)
afterAll(() => edge[Symbol.asyncDispose]())

async function ask(host: string, path: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(edge.url(path), { redirect: "manual", ...init, headers: { Host: host } })
  return response.headers.get("location") === null ? await response.text() : `${response.status} ${response.headers.get("location")}`
}

test("without www, with www, or one of many; names below a wildcard are as they are", async () => {
  expect(await ask("bare.test", "/a")).toBe("bare")
  expect(await ask("www.bare.test", "/a%20b?x=1")).toBe("308 http://bare.test/a%20b?x=1")
  expect(await ask("sub.bare.test", "/")).toBe("bare")
  expect(await ask("w.test", "/a")).toBe("308 http://www.w.test/a")
  expect(await ask("www.w.test", "/a")).toBe("www")
  expect(await ask("older.test:81", "//evil.example/x")).toBe("308 http://new.test:81/evil.example/x")
  expect(await ask("new.test", "/")).toBe("new")
})

test("a redirect has the headers of the site", async () => {
  const response = await fetch(edge.url("/"), { redirect: "manual", headers: { Host: "www.bare.test" } })
  expect([response.status, response.headers.get("x-site")]).toEqual([308, "bare"])
})

test("a slash at the end, for pages only", async () => {
  expect(await ask("add.test", "/a?b")).toBe("308 /a/?b")
  expect(await ask("add.test", "/a/")).toBe("added")
  expect(await ask("add.test", "/a.css")).toBe("added")
  expect(await ask("add.test", "/.well-known/x")).toBe("added")
  expect(await ask("add.test", "/a", { method: "POST" })).toBe("added")
})

test("no slash at the end, and folders and routes below are still found", async () => {
  expect(await ask("remove.test", "/docs/")).toBe("308 /docs")
  expect(await ask("remove.test", "/docs")).toBe("docs")
  expect(await ask("remove.test", "/deep/")).toBe("308 /deep")
  expect(await ask("remove.test", "/deep")).toBe("deep")
  expect(await ask("remove.test", "/")).toBe("home")
  expect(await ask("remove.test", "/a.txt")).toBe("a")
  expect(await ask("remove.test", "/none")).toContain("404")
})

test("a name that another site has, or none to choose from, is an error with its place", async () => {
  edge.write("bad.toml", '[[site]]\nhosts = ["a.test"]\ncanonical = "www"\n[[site.route]]\nrespond = "a"\n[[site]]\nhosts = ["www.a.test"]\n[[site.route]]\nrespond = "b"\n[[site]]\ncanonical = "bare"\n[[site.route]]\nrespond = "c"\n')
  const { code, err } = await edge.command("check", "--config", "bad.toml")
  expect(code).toBe(1)
  expect(err).toContain('bad.toml:7:10: site[1].hosts[0]: the host "www.a.test" is on 127.0.0.1:8080 already')
  expect(err).toContain("bad.toml:11:13: site[2].canonical: a site for any host has no canonical one")
})
