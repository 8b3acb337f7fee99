import { expect, test } from "bun:test"
import { chmodSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { connect } from "node:tls"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"

const config = (user = "") => `
[server]
fronts = 2
${user}
[log]
access = { format = "off" }
[[site]]
hosts = ["localhost"]
listen = ["127.0.0.1:0"]
tls = { cert = "cert.pem", key = "key.pem" }
[[site.route]]
path = "/ping"
respond = { status = 200, body = "pong" }
`

function certificate(dir: string, name: string): void {
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost"]
  const files = ["-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")]
  const { exitCode } = Bun.spawnSync(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files], { stderr: "ignore" })
  if (exitCode !== 0) throw new Error("openssl made no certificate")
  chmodSync(join(dir, "key.pem"), 0o600)
}

/** The name in the certificate that the address shows. */
function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.end()
    })
    socket.on("error", reject)
  })
}

const get = async (port: number) =>
  await (await fetch(`https://localhost:${port}/ping`, { keepalive: false, tls: { rejectUnauthorized: false } })).text()

describeWith(["openssl"], "TLS", () => {
  test("a reload takes up a new certificate and loses no connection", async () => {
    await using edge = await Edge.start({ config: config(), prepare: dir => certificate(dir, "first") })
    expect(await shown(edge.port())).toBe("first")
    let stop = false
    const outcomes: string[] = []
    const busy = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stop) outcomes.push(await get(edge.port()).catch((error: Error) => error.message))
      }),
    )
    for (const name of ["second", "third", "fourth"]) {
      certificate(edge.dir, name)
      expect((await edge.command("reload")).code).toBe(0)
      await until(async () => (await shown(edge.port())) === name)
    }
    stop = true
    await busy
    expect(outcomes.filter(outcome => outcome !== "pong")).toEqual([])
    expect(outcomes.length).toBeGreaterThan(20)
  })

  test.skipIf(process.getuid?.() !== 0)("a key that only root may read, with fronts that are not root", async () => {
    await using edge = await Edge.start({ config: config('user = "www-data"'), prepare: dir => certificate(dir, "root") })
    expect(await get(edge.port())).toBe("pong")
    const [front] = (await edge.status()).fronts
    expect(readFileSync(`/proc/${front!.pid}/status`, "utf8")).toMatch(/^Uid:\s+33\s/m)
  })
})
