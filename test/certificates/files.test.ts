/** `tls = { cert, key }`: what is renewed in the files is served within seconds, to connections that come then; none is closed. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connect } from "node:tls"
import { alive, Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { shown } from "./site.ts"

setDefaultTimeout(60_000)

function make(dir: string, base: string, serial: number): void {
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${base}.key`, "-out", `${base}.pem`, "-days", "2", "-subj", "/CN=a.example", "-set_serial", String(serial)]
  const made = Bun.spawnSync(["openssl", ...args], { cwd: dir, stderr: "pipe" })
  if (!made.success) throw new Error(made.stderr.toString())
}

describeWith(["openssl"], "files of certificates", () => {
  test("a renewed pair is served, a half-written one is not, nothing is closed or started anew", async () => {
    const config = `
[server]
fronts = 2
[[site]]
hosts = ["a.example"]
listen = ["127.0.0.1:0"]
tls = { cert = "a.pem", key = "a.key" }
[[site.route]]
respond = { status = 200, body = "hello" }
`
    await using edge = await Edge.start({ config, prepare: dir => make(dir, "a", 1) })
    const serial = async () => (await shown(edge.port(), "a.example"))?.serialNumber
    expect(await serial()).toBe("01")
    const { fronts } = await edge.status()
    // Open the whole time.
    const held = connect({ port: edge.port(), host: "127.0.0.1", servername: "a.example", rejectUnauthorized: false })
    let closed = false
    held.on("close", () => (closed = true))
    const answers: string[] = []
    held.on("data", chunk => void answers.push(String(chunk)))
    const ask = async (n: number): Promise<void> => {
      held.write("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
      await until(() => answers.join("").split("hello").length === n + 1)
    }
    await ask(1)

    make(edge.dir, "new", 2)
    // The certificate alone: no pair.
    renameSync(join(edge.dir, "new.pem"), join(edge.dir, "a.pem"))
    await edge.heard(/ERROR.*the files of certificates have changed and cannot be used; the old ones are served: .*a\.key does not belong/)
    expect(await serial()).toBe("01")
    renameSync(join(edge.dir, "new.key"), join(edge.dir, "a.key"))
    await edge.heard(/INFO.*new certificates are served/)
    await until(async () => (await serial()) === "02" && (await serial()) === "02")
    await ask(2)
    expect(closed).toBe(false)
    held.destroy()

    // A front that is started now has the new one, too.
    process.kill(fronts[0]!.pid, "SIGKILL")
    await until(() => !alive(fronts[0]!.pid))
    await until(async () => (await edge.status()).fronts.filter(({ state }) => state === "serving").length === 2)
    for (let i = 0; i < 20; i++) expect(await serial()).toBe("02")

    const again = (await edge.status()).fronts.map(({ pid }) => pid)
    expect(again).toContain(fronts[1]!.pid)
    writeFileSync(join(edge.dir, "a.key"), "nothing")
    await edge.heard(/a\.key is no PEM file/)
    expect(await serial()).toBe("02")
  })
})
