/** The besieged server: every kind of route, with limits short enough to be seen at work. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"
import { certificate } from "../wire/certificate.ts"
import type { Ledger } from "./ledger.ts"

/** Stands in every file that nobody may have. */
export const SECRET = "the-siege-must-not-read-this"

export interface Siege {
  readonly ports: { readonly http: number; readonly https: number }
  readonly ledger: Ledger
  /** How often each attack is made: 1 in CI. */
  readonly rounds: number
}

const config = (origin: string): string => `
[server]
fronts = 2
[server.limits]
body = "1mb"
head_timeout = "2s"
idle_timeout = "3s"
body_rate = { bytes = 1000, over = "2s" }
send_timeout = "3s"
[log]
access = { path = "access.log" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/files/*"
static = { root = "public", fallthrough = false }
[[site.route]]
path = "/forbidden/*"
use = [{ ip = { allow = ["10.255.255.255"] } }]
proxy = { to = ["${origin}"] }
[[site.route]]
path = "/wsgi/*"
app = "wsgi"
[[site.route]]
path = "/app/*"
app = "app"
[[site.route]]
proxy = { to = ["${origin}"] }
[[site]]
listen = ["localhost:0"]
tls = { cert = "cert.pem", key = "key.pem" }
[[site.route]]
path = "/files/*"
static = { root = "public" }
[[site.route]]
path = "/wsgi/*"
app = "wsgi"
[app.wsgi]
runtime = "wsgi"
entry = "hello:app"
python = "/usr/bin/python3"
workers = 2
threads = 4
timeout = "20s"
[app.app]
entry = "app.ts"
workers = 1
`

const python = `
def app(environ, start_response):
    path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/wsgi/big":
        return (b"b" * 65536 for _ in range(640))
    return [b"wsgi " + path.encode("latin-1") + (b" " + body if body else b"") + b"\\n"]
`

const typescript = `
export default { fetch: request => new Response("app " + new URL(request.url).pathname + "\\n") }
`

export async function fortress(origin: string): Promise<Edge> {
  const folder = mkdtempSync(join(tmpdir(), "edge-siege-"))
  try {
    const { cert, key } = await certificate(folder)
    return await Edge.start({
      config: config(origin),
      files: { "cert.pem": cert, "key.pem": key, "hello.py": python, "app.ts": typescript, "public/a.txt": "a file\n", "public/sub/b.txt": "b", "public/.hidden": SECRET, "secret.txt": SECRET },
      prepare: dir => {
        symlinkSync("..", join(dir, "public", "link"))
        writeFileSync(join(dir, "public", "big.bin"), new Uint8Array(40 * 1024 * 1024))
      },
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Memory in bytes and open descriptors of the fronts together. */
export async function weigh(edge: Edge): Promise<{ memory: number; descriptors: number }> {
  const { fronts } = await edge.status()
  const sum = { memory: 0, descriptors: 0 }
  for (const { pid } of fronts) {
    sum.memory += Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024
    sum.descriptors += readdirSync(`/proc/${pid}/fd`).length
  }
  return sum
}
