/**
 * A config for a test of the whole site: the same parts, and nothing of what the running server uses. It listens on free
 * ports of this machine and keeps state, databases, uploads, mails, logs and caches in a folder of the test's own.
 */
import { chmodSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { EdgeError, errors } from "../errors.ts"
import { Config, type Tree } from "./config.ts"

export interface Apart {
  /** Absolute; removed when the test ends. */
  readonly folder: string
  /** Variables that the test gives itself: they win over those of the config and the machine. */
  readonly given: Readonly<Record<string, string>>
}

type Table = { [key: string]: Tree }

/** Stores of ours, which a test can have for itself in a file. One of a plugin stays as it is written. */
const OUR_STORES = /^(?:sqlite|redis|rediss|valkey|valkeys|postgres|postgresql)$/

export async function setApart(config: Config, { folder, given }: Apart): Promise<Config> {
  const tree = structuredClone(config.tree)
  const server = tableAt(tree, "server")
  // As root, fronts and apps may be other users, and write there too.
  if (process.getuid?.() === 0) chmodSync(folder, 0o1777)
  if (isOurs(server.state)) server.state = `sqlite:${join(folder, "edge.db")}`
  if (server.pid_file !== undefined) server.pid_file = join(folder, "edge.pid")
  const access = isTable(tree.log) && isTable(tree.log.access) ? tree.log.access : undefined
  if (access !== undefined) setLog(access, folder)
  const ports = new Ports(folder)
  for (const site of list(tree.site)) {
    site.listen = await Promise.all((Array.isArray(site.listen) ? site.listen : ["127.0.0.1:8080"]).map(each => ports.instead(String(each), site.tls !== undefined && site.tls !== "off")))
    // No authority is asked for certificates because of a test.
    if (site.tls === "auto") site.tls = "internal"
    if (typeof site.log === "string") site.log = logFile(folder, site.log)
    else if (isTable(site.log)) setLog(site.log, folder)
  }
  for (const cache of tablesNamed(tree, "cache")) if (isTable(cache.disk)) cache.disk.dir = join(folder, `cache-${nameOf(String(cache.disk.dir))}`)
  for (const [name, app] of Object.entries(isTable(tree.app) ? tree.app : {})) if (isTable(app)) appApart(app, { name, folder, given })
  return Config.fromJSON({ ...config.toJSON(), tree })
}

/** Programs beside the app are left out: jobs and task workers would do real work. */
function appApart(app: Table, { name, folder, given }: Apart & { name: string }): void {
  delete app.daemons
  delete app.cron
  if (typeof app.log === "string") app.log = logFile(folder, app.log)
  const env = tableAt(app, "env")
  const own = (app.runtime ?? "fetch") === "fetch"
  const file = join(folder, `${name}.db`)
  const database = String(env.DATABASE_URL ?? process.env.DATABASE_URL ?? "")
  if (own && given.DATABASE_URL === undefined && /^postgres(?:ql)?:/.test(database)) throw new EdgeError(errors.testDatabase(name))
  // For programs of others only where they are told of one; as SQLAlchemy and dj-database-url write it.
  if (own) env.DATABASE_URL = `sqlite:${file}`
  else if (database !== "") env.DATABASE_URL = `sqlite:///${file}`
  if (own) Object.assign(env, { EDGE_FILES: join(folder, `${name}-files`), MAIL_URL: `file:${join(folder, "mails")}`, SECRET_KEY: "a secret for tests alone", EDGE_TEST: "1" })
  for (const [key, value] of Object.entries(given)) env[key] = value
}

/** Other addresses for those of the config, the same for the same one. */
class Ports {
  readonly #made = new Map<string, Promise<string>>()
  constructor(private readonly folder: string) {}

  instead(address: string, secure: boolean): Promise<string> {
    let made = this.#made.get(address)
    if (made === undefined) this.#made.set(address, (made = this.#make(address, secure)))
    return made
  }

  async #make(address: string, secure: boolean): Promise<string> {
    const bare = address.replace(/^http:\/\//, "")
    if (bare.startsWith("unix:")) return `${address.slice(0, address.length - bare.length)}unix:${join(this.folder, `${this.#made.size}.sock`)}`
    const port = Number(/:(\d+)$/.exec(bare)?.[1])
    const host = bare.slice(0, bare.lastIndexOf(":"))
    // Not the addresses of a network: a test is nobody's business.
    const here = host.startsWith("[") ? "[::1]" : host.startsWith("127.") ? host : "127.0.0.1"
    // Beside TLS port 80 is the plain one.
    const plain = address.startsWith("http://") || (secure && port === 80) ? "http://" : ""
    return `${plain}${here}:${port === 0 ? 0 : await freePort(here.replaceAll(/[[\]]/g, ""))}`
  }
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

function setLog(log: Table, folder: string): void {
  if (typeof log.path === "string") log.path = logFile(folder, log.path)
}

function logFile(folder: string, path: string): string {
  return path === "-" ? path : join(folder, nameOf(path))
}

/** A file name for a path. */
function nameOf(path: string): string {
  return path.replaceAll(/[^\w.-]+/g, "_")
}

function isOurs(state: Tree | undefined): boolean {
  if (state === undefined) return true
  const name = typeof state === "string" ? state.slice(0, Math.max(0, state.indexOf(":"))).toLowerCase() : isTable(state) ? (Object.keys(state)[0] ?? "") : ""
  return OUR_STORES.test(name)
}

function isTable(value: Tree | undefined): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function tableAt(tree: Table, key: string): Table {
  const found = tree[key]
  // Something else than a table is told when the config is checked.
  if (found !== undefined) return isTable(found) ? found : {}
  return (tree[key] = {})
}

function list(value: Tree | undefined): Table[] {
  return Array.isArray(value) ? value.filter(isTable) : []
}

function tablesNamed(value: Tree, name: string): Table[] {
  if (typeof value !== "object" || value === null) return []
  const below = Object.entries(value)
  return below.flatMap(([key, each]) => [...(key === name && isTable(each) ? [each] : []), ...tablesNamed(each as Tree, name)])
}
