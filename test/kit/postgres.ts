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
    private server: Bun.Subprocess,
  ) {}

  static async start(): Promise<Postgres> {
    const bin = dirname(found("postgresql")!)
    const dir = mkdtempSync(join(tmpdir(), "edge-pg-"))
    // The server refuses to run as root.
    if (isRoot) {
      const { uid, gid } = ids("postgres")
      chownSync(dir, uid, gid)
    }
    const init = Bun.spawnSync(asPostgres([join(bin, "initdb"), "-D", join(dir, "data"), "-A", "trust", "-U", "edge", "--no-sync"]), { cwd: dir })
    if (init.exitCode !== 0) throw new Error(init.stderr.toString())
    const port = await freePort()
    const postgres = new Postgres(port, dir, spawnServer(dir, port))
    await postgres.answers()
    return postgres
  }

  /** At once, without waiting for its clients; what it holds stays on disk. */
  async stop(): Promise<void> {
    // runuser does not pass signals on.
    const pid = Number(readFileSync(join(this.dir, "data", "postmaster.pid"), "utf8").split("\n")[0])
    process.kill(pid, "SIGQUIT")
    await this.server.exited
  }

  /** Again, on the same port. */
  async restart(): Promise<void> {
    this.server = spawnServer(this.dir, this.port)
    await this.answers()
  }

  private async answers(): Promise<void> {
    for (let i = 0; ; i++) {
      try {
        const sql = new Bun.SQL(this.url("postgres"), { max: 1 })
        await sql`SELECT 1`
        await sql.close()
        return
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
    await this.stop()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

const isRoot = process.getuid?.() === 0

function asPostgres(argv: string[]): string[] {
  return isRoot ? ["runuser", "-u", "postgres", "--", ...argv] : argv
}

function spawnServer(dir: string, port: number): Bun.Subprocess {
  const settings = { listen_addresses: "127.0.0.1", port, unix_socket_directories: dir, fsync: "off", max_connections: 50 }
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const argv = asPostgres([join(dirname(found("postgresql")!), "postgres"), "-D", join(dir, "data"), ...flags])
  return Bun.spawn(argv, { cwd: dir, stdout: "ignore", stderr: "ignore" })
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
