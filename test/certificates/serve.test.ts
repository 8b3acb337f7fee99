/** `tls = "auto"` and `"internal"` through the executable: nothing but names in the config, and HTTPS comes of itself. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { freePorts, Pebble } from "../kit/pebble.ts"
import { shown, site } from "./site.ts"

setDefaultTimeout(60_000)

describeWith(["pebble", "openssl"], 'tls = "auto"', () => {
  let pebble: Pebble
  beforeAll(async () => {
    pebble = await Pebble.start()
  })
  afterAll(() => pebble?.[Symbol.asyncDispose]())

  const acme = (more = "") => `[tls]\nacme = { email = "me@example.com", directory = "${pebble.directory}", ca = "pebble.pem"${more} }\n`
  const prepare = (dir: string) => writeFileSync(join(dir, "pebble.pem"), pebble.ca)

  test("by http-01: certificates for each name, the redirect meanwhile, swapped in without a connection being closed", async () => {
    const [https] = freePorts(1) as [number]
    const config = acme() + site({ hosts: ["one.example", "two.example"], http: pebble.ports.http, https, tls: "auto" })
    await using edge = await Edge.start({ config, prepare })
    await edge.heard(/a certificate by 127\.0\.0\.1/, 2)
    const root = await pebble.root()
    await until(async () => (await shown(https, "one.example", root)) !== undefined && (await shown(https, "two.example", root)) !== undefined)
    expect((await shown(https, "one.example"))?.subjectAltName).toBe("DNS:one.example")
    expect((await shown(https, "two.example"))?.subjectAltName).toBe("DNS:two.example")
    const redirect = await fetch(`http://127.0.0.1:${pebble.ports.http}/a?b`, { headers: { Host: "one.example" }, redirect: "manual" })
    expect([redirect.status, redirect.headers.get("location")]).toEqual([308, `https://one.example:${https}/a?b`])
    // A start with what is there asks nobody.
    await edge.command("reload")
    expect((await shown(https, "two.example", root))?.subjectAltName).toBe("DNS:two.example")
    expect([...edge.output.matchAll(/a certificate by/g)].length).toBe(2)
    expect(edge.output).not.toMatch(/ERROR|WARN/)
  })

  test("by tls-alpn-01, where port 80 is not ours; a name without one fails no other", async () => {
    const config = acme(', challenges = ["tls-alpn-01"]') + site({ hosts: ["alpn.example", "nowhere.example"], https: pebble.ports.tls, tls: "auto" })
    await pebble.dns("add-a", { host: "nowhere.example.", addresses: ["127.9.9.9"] })
    await using edge = await Edge.start({ config, prepare })
    await edge.heard(/a certificate by/)
    const root = await pebble.root()
    await until(async () => (await shown(pebble.ports.tls, "alpn.example", root)) !== undefined)
    await edge.heard(/ERROR.*no certificate: 127\.0\.0\.1:\d+ says: nowhere\.example by tls-alpn-01: .*there is none, so nobody can connect; next try/)
  })

  test("by dns-01 with a program that writes the record: a wildcard, and no port that the authority could reach", async () => {
    const [https] = freePorts(1) as [number]
    const hook = `#!/bin/sh
echo "$1 $2" >> hook.log
case $1 in
add) curl -sf -d "{\\"host\\": \\"$2.\\", \\"value\\": \\"$3\\"}" http://127.0.0.1:${"${1}"}/set-txt ;;
esac
`.replaceAll("${1}", String(pebble.ports.dnsManagement))
    const dns = `, resolver = "127.0.0.1:${pebble.ports.dns}", dns = { exec = { command = ["sh", "hook.sh"] } }`
    const config = acme(dns) + site({ hosts: ["*.wild.example"], https, tls: "auto" })
    await using edge = await Edge.start({ config, prepare, files: { "hook.sh": hook } })
    await edge.heard(/a certificate by/)
    const root = await pebble.root()
    await until(async () => (await shown(https, "any.wild.example", root))?.subjectAltName === "DNS:*.wild.example")
    expect(edge.read("hook.log")).toBe("add _acme-challenge.wild.example\nremove _acme-challenge.wild.example\n")
  })

  test("what was issued is there after a restart; a killed process of the keeper is started again", async () => {
    const [https] = freePorts(1) as [number]
    const config = acme() + site({ hosts: ["restart.example"], http: pebble.ports.http, https, tls: "auto" })
    const edge = await Edge.start({ config, prepare })
    await edge.heard(/a certificate by/)
    edge.signal("SIGTERM")
    await edge.exited
    const root = await pebble.root()
    await using again = await Edge.again(edge.dir)
    await again.heard(/^serving/m)
    expect((await shown(https, "restart.example", root))?.subjectAltName).toBe("DNS:restart.example")
    expect(again.output).not.toContain("a certificate by")
    await edge[Symbol.asyncDispose]
  })
})

test("keys in the shared state are nobody else's to read, nor is the secret that seals them the apps'", async () => {
  const [https] = freePorts(1) as [number]
  const app = `
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
app = "env"
[app.env]
entry = "env.ts"
`
  await using edge = await Edge.start({
    config: site({ hosts: ["app.internal"], https, tls: "internal" }) + app,
    files: { "env.ts": `export default { fetch: () => new Response(Object.keys(process.env).join()) }` },
    env: { EDGE_TLS_SECRET: "between us", EDGE_OTHER: "1" },
    // As an older edge left it.
    prepare: dir => writeFileSync(join(dir, "edge.db"), "", { mode: 0o644 }),
  })
  await edge.heard(/a certificate by internal/)
  const modes = ["edge.db", "edge.db-wal", "edge.db-shm"].map(name => statSync(join(edge.dir, name)).mode & 0o777)
  expect(modes).toEqual([0o600, 0o600, 0o600])
  expect(readFileSync(join(edge.dir, "edge.db-wal"), "latin1") + readFileSync(join(edge.dir, "edge.db"), "latin1")).not.toContain("PRIVATE KEY")
  const names = (await (await fetch(`http://127.0.0.1:${edge.port(1)}/`)).text()).split(",")
  expect(names).toContain("EDGE_OTHER")
  expect(names).not.toContain("EDGE_TLS_SECRET")
})

test("edge dev answers what authorities ask for, too", async () => {
  const [http, https] = freePorts(2) as [number, number]
  await using edge = await Edge.start({ config: site({ hosts: ["dev.internal"], http, https, tls: "internal" }), args: ["dev"] })
  const { Database } = await import("bun:sqlite")
  await edge.heard(/a certificate by internal/)
  const db = new Database(join(edge.dir, "edge.db"))
  db.run("INSERT INTO edge_value (key, value, ends) VALUES ('tls:challenge:http:token', ?, ?)", [Buffer.from('"the proof"'), Number.MAX_SAFE_INTEGER])
  db.close()
  const ask = async (token: string) => fetch(`http://127.0.0.1:${http}/.well-known/acme-challenge/${token}`, { headers: { Host: "dev.internal" }, redirect: "manual" })
  expect(await (await ask("token")).text()).toBe("the proof")
  expect((await ask("another")).status).toBe(308)
})

test('tls = "internal": a chain to one root, at once, for names that no public authority signs', async () => {
  const [https] = freePorts(1) as [number]
  await using edge = await Edge.start({ config: site({ hosts: ["app.internal", "*.dev.internal"], https, tls: "internal" }) })
  await edge.heard(/a certificate by internal/, 2)
  await until(async () => (await shown(https, "app.internal"))?.subjectAltName === "DNS:app.internal")
  await until(async () => (await shown(https, "x.dev.internal"))?.subjectAltName === "DNS:*.dev.internal")
})

test.each([
  ['hosts = ["a.internal"]\ntls = "auto"', 'no public authority signs for "a.internal": .internal is no part of the public DNS; tls = "internal" does'],
  ['hosts = ["*.example.com"]\ntls = "auto"', "a wildcard is proved by DNS alone, so [tls] acme needs `dns`"],
  ['tls = "auto"', 'tls = "auto" needs names: the site has no hosts'],
])("%s is refused by check", async (lines, words) => {
  await using edge = await Edge.launch({ config: `[[site]]\n${lines}\nlisten = ["127.0.0.1:1"]\n[[site.route]]\nrespond = "x"\n`, args: ["check"] })
  expect(await edge.exited).toBe(1)
  expect(edge.output).toContain(words)
})
