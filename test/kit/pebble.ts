/** The test authority of Let's Encrypt with its DNS server, on free ports; ended by the test. `PEBBLE` names a newer one. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface PebbleOptions {
  /** Environment, as `PEBBLE_WFE_NONCEREJECT: "50"`. */
  readonly env?: Readonly<Record<string, string>>
  /** Further keys of its config. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Seconds between its looks; the default does not wait at all. */
  readonly noSleep?: boolean
}

export class Pebble implements AsyncDisposable {
  private constructor(
    readonly dir: string,
    readonly ports: Readonly<Record<"acme" | "management" | "http" | "tls" | "dns" | "dnsManagement", number>>,
    readonly ca: string,
    readonly options: PebbleOptions,
  ) {}

  #authority: Bun.Subprocess | undefined
  #dns: Bun.Subprocess | undefined

  static async start(options: PebbleOptions = {}): Promise<Pebble> {
    const dir = mkdtempSync(join(tmpdir(), "edge-pebble-"))
    const args = ["-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=pebble", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    const made = Bun.spawnSync(["openssl", "req", "-x509", ...args], { cwd: dir, stderr: "pipe" })
    if (!made.success) throw new Error(made.stderr.toString())
    const [acme, management, http, tls, dns, dnsManagement] = freePorts(6) as [number, number, number, number, number, number]
    const ports = { acme, management, http, tls, dns, dnsManagement }
    const config = {
      listenAddress: `127.0.0.1:${acme}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: join(dir, "cert.pem"),
      privateKey: join(dir, "key.pem"),
      httpPort: http,
      tlsPort: tls,
      ...options.config,
    }
    writeFileSync(join(dir, "pebble.json"), JSON.stringify({ pebble: config }))
    const pebble = new Pebble(dir, ports, readFileSync(join(dir, "cert.pem"), "utf8"), options)
    const servers = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""]
    pebble.#dns = Bun.spawn(["pebble-challtestsrv", ...servers.slice(0, 6), "-dns01", `127.0.0.1:${dns}`, "-management", `127.0.0.1:${dnsManagement}`, "-defaultIPv6", "", "-defaultIPv4", "127.0.0.1"], {
      stdio: ["ignore", "ignore", "ignore"],
    })
    await pebble.restart()
    return pebble
  }

  get directory(): string {
    return `https://127.0.0.1:${this.ports.acme}/dir`
  }

  /** Ends the authority if it runs, and starts it anew with nothing of what it knew; its own root is a new one, too. */
  async restart(): Promise<void> {
    await this.stop()
    const env = { PATH: process.env["PATH"]!, ...(this.options.noSleep === false ? {} : { PEBBLE_VA_NOSLEEP: "1" }), PEBBLE_WFE_NONCEREJECT: "0", ...this.options.env }
    const argv = [process.env["PEBBLE"] ?? "pebble", "-config", join(this.dir, "pebble.json"), "-dnsserver", `127.0.0.1:${this.ports.dns}`]
    this.#authority = Bun.spawn(argv, { env, cwd: this.dir, stdio: ["ignore", "ignore", "ignore"] })
    while (!(await this.#get("/dir").then(response => response.ok, () => false))) {
      if (this.#authority.exitCode !== null) throw new Error(`pebble ended with ${this.#authority.exitCode}`)
      await Bun.sleep(20)
    }
  }

  async stop(): Promise<void> {
    this.#authority?.kill()
    await this.#authority?.exited
  }

  /** Root of the certificates that it issues, PEM. */
  async root(): Promise<string> {
    return (await fetch(`https://127.0.0.1:${this.ports.management}/roots/0`, { tls: { ca: this.ca } })).text()
  }

  /** A command of its DNS server: `set-txt`, `clear-txt`, `set-default-ipv4`, `add-caa`, `set-servfail`, ... */
  async dns(command: string, body: object): Promise<void> {
    await fetch(`http://127.0.0.1:${this.ports.dnsManagement}/${command}`, { method: "POST", body: JSON.stringify(body) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    this.#dns?.kill()
    await this.#dns?.exited
    rmSync(this.dir, { recursive: true, force: true })
  }

  #get(path: string): Promise<Response> {
    return fetch(`https://127.0.0.1:${this.ports.acme}${path}`, { tls: { ca: this.ca } })
  }
}

/** Free at this moment: those who listen on them come a moment later. */
export function freePorts(n: number): number[] {
  const servers = Array.from({ length: n }, () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }))
  const ports = servers.map(({ port }) => port)
  for (const server of servers) server.stop(true)
  return ports
}
