import { expect, test } from "bun:test"
import { appendFileSync, chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connect } from "node:tls"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"

/** Of the first pair makes what no client could be served with, and what the error says. */
const openssl = (...args: string[]) => {
  if (Bun.spawnSync(["openssl", ...args], { stderr: "ignore" }).exitCode !== 0) throw new Error(`openssl ${args.join(" ")} failed`)
}
const bad: Readonly<Record<string, readonly [spoil: (dir: string) => void, says: RegExp]>> = {
  "a key of another certificate": [dir => openssl("genrsa", "-out", join(dir, "key.pem"), "2048"), /^site\.toml:\d+:\d+: site\[0\]\.tls\.key: .*key\.pem does not belong to the first certificate/],
  "a key of another kind": [dir => openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", join(dir, "key.pem")), /does not belong/],
  "an encrypted key": [dir => openssl("rsa", "-in", join(dir, "key.pem"), "-aes128", "-passout", "pass:x", "-out", join(dir, "key.pem")), /key\.pem is encrypted.*openssl pkey/],
  "an encrypted key of the old form": [
    dir => openssl("rsa", "-in", join(dir, "key.pem"), "-aes128", "-passout", "pass:x", "-traditional", "-out", join(dir, "key.pem")),
    /key\.pem is encrypted/,
  ],
  "a key that is a certificate": [dir => copyFileSync(join(dir, "cert.pem"), join(dir, "key.pem")), /key\.pem has no private key, but: certificate/],
  "a key that is a public key": [dir => openssl("rsa", "-in", join(dir, "key.pem"), "-pubout", "-out", join(dir, "key.pem")), /no private key, but: public key/],
  "a certificate that is a key": [dir => copyFileSync(join(dir, "key.pem"), join(dir, "cert.pem")), /cert\.pem has no certificate, but: private key/],
  "a chain that begins with the authority": [
    dir => {
      const own = readFileSync(join(dir, "cert.pem"))
      openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout", join(dir, "other.pem"), "-out", join(dir, "cert.pem"))
      appendFileSync(join(dir, "cert.pem"), own)
    },
    /a chain begins with the holder's own certificate/,
  ],
  "half a certificate": [dir => writeFileSync(join(dir, "cert.pem"), readFileSync(join(dir, "cert.pem")).subarray(0, 500)), /cert\.pem cannot be used: bad end line/],
  "a chain cut in its second certificate": [
    dir => appendFileSync(join(dir, "cert.pem"), readFileSync(join(dir, "cert.pem")).subarray(0, 500)),
    /cert\.pem cannot be used: bad end line/,
  ],
  "a damaged key": [dir => writeFileSync(join(dir, "key.pem"), readFileSync(join(dir, "key.pem"), "latin1").replaceAll(/.{20}$/gm, "!")), /key\.pem/],
  "an RSA key that no client takes": [
    dir => openssl("req", "-x509", "-newkey", "rsa:512", "-nodes", "-subj", "/CN=weak", "-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")),
    /RSA key of 512 bits/,
  ],
}

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

  for (const [what, [spoil, says]] of Object.entries(bad))
    test(`${what}: edge check finds it, a reload is refused, the old certificate goes on`, async () => {
      await using edge = await Edge.start({ config: config(), prepare: dir => certificate(dir, "first") })
      spoil(edge.dir)
      const checked = await edge.command("check")
      expect(checked.err).toMatch(says)
      expect(checked.code).toBe(1)
      const reloaded = await edge.command("reload")
      expect(reloaded.err).toMatch(says)
      expect(reloaded.code).toBe(1)
      expect(await get(edge.port())).toBe("pong")
      expect(await shown(edge.port())).toBe("first")
      expect((await edge.status()).generation).toBe(1)
      certificate(edge.dir, "second")
      expect((await edge.command("reload")).code).toBe(0)
      await until(async () => (await shown(edge.port())) === "second")
    })

  test("a front that is started anew while a key is being changed has what was checked", async () => {
    await using edge = await Edge.start({ config: config().replace("fronts = 2", "fronts = 1"), prepare: dir => certificate(dir, "first") })
    const [front] = (await edge.status()).fronts
    openssl("genrsa", "-out", join(edge.dir, "key.pem"), "2048")
    process.kill(front!.pid, "SIGKILL")
    await until(async () => (await edge.status()).fronts.some(({ pid, memory }) => pid !== front!.pid && memory !== undefined))
    expect(await shown(edge.port())).toBe("first")
  })

  test("plain HTTP is answered 400 and told why", async () => {
    await using edge = await Edge.start({ config: config(), prepare: dir => certificate(dir, "first") })
    for (const method of ["GET", "POST", "HEAD", "PUT"]) {
      const answer = await fetch(`http://127.0.0.1:${edge.port()}/x`, { method, keepalive: false, ...(method === "POST" && { body: "x".repeat(100) }) })
      expect(answer.status).toBe(400)
      expect(answer.headers.get("connection")).toBe("close")
      if (method === "GET") expect(await answer.text()).toContain("plain HTTP was sent to an address that speaks HTTPS")
    }
    expect(await get(edge.port())).toBe("pong")
    expect((await edge.status()).fronts.reduce((sum, { connections = 0 }) => sum + connections, 0)).toBe(0)
  })

  test("the second of two sites on an address has a bad pair", async () => {
    const second = config().slice(config().indexOf("[[site]]")).replace('"localhost"', '"other.test"').replaceAll('.pem"', '2.pem"')
    await using edge = await Edge.start({ config: config(), prepare: dir => certificate(dir, "first") })
    for (const name of ["cert", "key"]) copyFileSync(join(edge.dir, `${name}.pem`), join(edge.dir, `${name}2.pem`))
    openssl("genrsa", "-out", join(edge.dir, "key2.pem"), "2048")
    edge.write("site.toml", config() + second)
    expect((await edge.command("reload")).err).toMatch(/key2\.pem does not belong/)
    expect(await get(edge.port())).toBe("pong")
  })

  test.skipIf(process.getuid?.() !== 0)("a key that only root may read, with fronts that are not root", async () => {
    await using edge = await Edge.start({ config: config('user = "www-data"'), prepare: dir => certificate(dir, "root") })
    expect(await get(edge.port())).toBe("pong")
    const [front] = (await edge.status()).fronts
    expect(readFileSync(`/proc/${front!.pid}/status`, "utf8")).toMatch(/^Uid:\s+33\s/m)
  })
})
