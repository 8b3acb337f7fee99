/** `edge tls` and `edge trust`, beside a server that runs. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { freePorts, Pebble } from "../kit/pebble.ts"
import { shown, site } from "./site.ts"

setDefaultTimeout(60_000)

describeWith(["pebble", "openssl"], "edge tls", () => {
  let pebble: Pebble
  let edge: Edge
  let https: number
  beforeAll(async () => {
    pebble = await Pebble.start()
    ;[https] = freePorts(1) as [number]
    const acme = `[tls]\nacme = { directory = "${pebble.directory}", ca = "pebble.pem" }\n`
    const config = acme + site({ hosts: ["one.example", "two.example"], http: pebble.ports.http, https, tls: "auto" })
    edge = await Edge.start({ config, prepare: dir => writeFileSync(join(dir, "pebble.pem"), pebble.ca) })
    await edge.heard(/a certificate by/, 2)
  })
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await pebble?.[Symbol.asyncDispose]()
  })

  test("list: by whom, how long, what is next", async () => {
    const { out, code } = await edge.command("tls")
    expect(code).toBe(0)
    expect(out).toMatch(/^names +by +good +next look\none\.example +127\.0\.0\.1:\d+ +for \d+ d.*in \d+ d/)
    expect(JSON.parse((await edge.command("tls", "list", "--json")).out)).toMatchObject([{ names: ["one.example"], trouble: null }, { names: ["two.example"] }])
  })

  test("renew: a new one is served by the fronts that run", async () => {
    const before = await shown(https, "one.example")
    const { out, code } = await edge.command("tls", "renew", "one.example")
    expect(out).toMatch(/^one\.example: a certificate by 127\.0\.0\.1:\d+, good until .* \(asked for\)\n$/)
    expect(code).toBe(0)
    await until(async () => (await shown(https, "one.example"))?.serialNumber !== before?.serialNumber)
    expect(await edge.command("tls", "renew", "one.exampel")).toMatchObject({ code: 1, err: expect.stringContaining('did you mean "one.example"?') })
  })

  test("revoke: another key takes its place", async () => {
    const before = await shown(https, "two.example")
    expect((await edge.command("tls", "revoke", "two.example", "--reason", "keyCompromise")).out).toContain("two.example: revoked (keyCompromise)")
    // Two fronts hear of it one after the other: what is compared is what was seen.
    let after = before
    await until(async () => (after = await shown(https, "two.example"))?.serialNumber !== before?.serialNumber)
    expect(after?.publicKey.equals(before!.publicKey)).toBe(false)
    expect(await edge.command("tls", "revoke", "two.example", "--reason", "boredom")).toMatchObject({ code: 1, err: expect.stringContaining('no reason "boredom"') })
  })

  test("export, and import of what certbot left", async () => {
    expect((await edge.command("tls", "export", "one.example", "out")).code).toBe(0)
    const certificate = new X509Certificate(edge.read("out/one.example.pem"))
    expect(certificate.subjectAltName).toBe("DNS:one.example")
    expect(statSync(join(edge.dir, "out/one.example.key")).mode & 0o777).toBe(0o600)
    // As certbot has it, in a server that has none yet.
    const live = join(edge.dir, "letsencrypt/live/one.example")
    mkdirSync(live, { recursive: true })
    writeFileSync(join(live, "fullchain.pem"), readFileSync(join(edge.dir, "out/one.example.pem")))
    writeFileSync(join(live, "privkey.pem"), readFileSync(join(edge.dir, "out/one.example.key")))
    writeFileSync(join(live, "README"), "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    edge.write("other.toml", `[server]\nstate = "sqlite:other.db"\n${site({ hosts: ["one.example", "three.example"], http: 1, https: 2, tls: "auto" })}`)
    const { out, code } = await edge.command("tls", "import", "letsencrypt", "--config", "other.toml")
    expect(out).toMatch(/^one\.example: taken from letsencrypt\/live\/one\.example\/fullchain\.pem, good until .*\nthree\.example: none in letsencrypt\n$/)
    expect(code).toBe(0)
    expect((await edge.command("tls", "--config", "other.toml")).out).toMatch(/one\.example +imported +for/)
  })
})

test("edge trust --print: the root that every certificate of tls = internal goes back to", async () => {
  const [https] = freePorts(1) as [number]
  await using edge = await Edge.start({ config: site({ hosts: ["app.internal"], https, tls: "internal" }) })
  await edge.heard(/a certificate by internal/)
  const root = (await edge.command("trust", "--print")).out
  expect(new X509Certificate(root).ca).toBe(true)
  await until(async () => (await shown(https, "app.internal", root))?.subjectAltName === "DNS:app.internal")
})
