/** A PostgreSQL server of the test's own, on a free port of 127.0.0.1, gone afterwards. */
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { found } from "./needs.ts"

export class Postgres {
  private constructor(
    readonly port: number,
    private readonly dir: string,
    private readonly server: Bun.Subprocess,
  ) {}

  static async start(): Promise<Postgres> {
    const bin = dirname(found("postgresql")!)
    const dir = mkdtempSync(join(tmpdir(), "edge-pg-"))
    // The server refuses to run as root.
    const root = process.getuid?.() === 0
    if (root) {
      const { uid, gid } = ids("postgres")
      chownSync(dir, uid, gid)
    }
    const as = (argv: string[]) => (root ? ["runuser", "-u", "postgres", "--", ...argv] : argv)
    const data = join(dir, "data")
    const init = Bun.spawnSync(as([join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "edge", "--no-sync"]), { cwd: dir })
    if (init.exitCode !== 0) throw new Error(init.stderr.toString())
    const port = await freePort()
    const settings = { listen_addresses: "127.0.0.1", port, unix_socket_directories: dir, fsync: "off", max_connections: 50 }
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    const server = Bun.spawn(as([join(bin, "postgres"), "-D", data, ...flags]), { cwd: dir, stdout: "ignore", stderr: "ignore" })
    const postgres = new Postgres(port, dir, server)
    for (let i = 0; ; i++) {
      try {
        const sql = new Bun.SQL(postgres.url("postgres"), { max: 1 })
        await sql`SELECT 1`
        await sql.close()
        return postgres
      } catch (error) {
        if (i > 200) throw error
        await Bun.sleep(50)
      }
    }
  }

  url(name: string): string {
    return `postgres://edge@127.0.0.1:${this.port}/${name}`
  }

  /** A new empty database; gives its URL. */
  async database(name: string): Promise<string> {
    const sql = new Bun.SQL(this.url("postgres"), { max: 1 })
    await sql.unsafe(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
    await sql.unsafe(`CREATE DATABASE "${name}"`)
    await sql.close()
    return this.url(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // runuser does not pass signals on; SIGQUIT stops the server without waiting for its clients.
    const pid = Number(readFileSync(join(this.dir, "data", "postmaster.pid"), "utf8").split("\n")[0])
    process.kill(pid, "SIGQUIT")
    await this.server.exited
    rmSync(this.dir, { recursive: true, force: true })
  }
}

function ids(user: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(Bun.spawnSync(["id", flag, user]).stdout.toString())
  return { uid: id("-u"), gid: id("-g") }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
