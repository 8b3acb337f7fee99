/** An app of one file in an empty folder, served by the executable as its user would, with its tables migrated. */
import { Edge, edgeArgv } from "../../../../test/kit/edge.ts"

export interface ServedApp {
  /** app.tsx */
  readonly source: string
  /** Lines of [app.demo]. */
  readonly app?: string
  readonly databaseUrl?: string
  readonly limits?: string
  /** Management commands after those that make the tables. */
  readonly commands?: readonly string[]
}

export async function serveApp({ source, app = "workers = 1", databaseUrl, limits = "", commands = [] }: ServedApp): Promise<Edge> {
  const env = { SECRET_KEY: "only-for-tests-0123456789", ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }) }
  const config = `
[server]
${limits}
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
app = "demo"
[app.demo]
entry = "app.tsx"
${app}
env = { ${Object.entries(env).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ")} }
`
  const argv = await edgeArgv()
  return Edge.start({
    config,
    files: { "app.tsx": source },
    prepare(dir) {
      for (const command of ["makemigrations", "migrate", ...commands]) {
        const { exitCode, stdout, stderr } = Bun.spawnSync([...argv, "manage", "demo", command], { cwd: dir, env: { ...process.env, ...env } })
        if (exitCode !== 0) throw new Error(`edge manage demo ${command}:\n${`${stdout}${stderr}`.slice(0, 2000)}`)
      }
    },
  })
}

/** Most memory that a process ever had, in bytes. */
export async function peakMemory(pid: number): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`).text()
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1024
}
