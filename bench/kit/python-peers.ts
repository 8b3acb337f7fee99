/** Python servers that edge is compared with, each with one worker on the core of the servers. */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { nginxConfig } from "./nginx.ts"
import { answers, freePort, type Processes } from "./processes.ts"
import type { Subject } from "./load.ts"

export interface PeerOptions {
  readonly processes: Processes
  /** Folder of the apps. */
  readonly dir: string
  /** A folder with bin/python, bin/gunicorn...: newer versions than Debian's. */
  readonly venv: string
  readonly workers?: number
}

const upstream = (socket: string) => `upstream up { server unix:${socket}; keepalive 64; }`
const pass = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_pass http://up;'

/** name -> how it serves "module:callable"; uWSGI's and Granian's own ways to name a factory are met. */
export const peers = {
  "nginx + gunicorn sync": (app: string, o: PeerOptions) => behind(app, o, socket => gunicorn(o, socket, app, [])),
  "nginx + gunicorn gthread": (app: string, o: PeerOptions) => behind(app, o, socket => gunicorn(o, socket, app, ["-k", "gthread", "--threads", "4"])),
  "nginx + gunicorn --preload": (app: string, o: PeerOptions) => behind(app, o, socket => gunicorn(o, socket, app, ["--preload"])),
  "nginx + uvicorn": (app: string, o: PeerOptions) =>
    behind(app, o, socket => [tool(o, "uvicorn"), "--uds", socket, "--no-access-log", "--log-level", "error", app]),
  "nginx + uWSGI": (app: string, o: PeerOptions) =>
    behind(app, o, socket => ["uwsgi", "--plugin", "python3", "--socket", socket, "--chmod-socket=666", "--master", "--processes", workers(o), "--disable-logging",
      "--need-app", "--die-on-term", ...(app.endsWith("()") ? ["--module", app] : ["--wsgi", app])], "uwsgi"),
  "Granian": (app: string, o: PeerOptions) => alone(app, o, "wsgi"),
  "Granian (ASGI)": (app: string, o: PeerOptions) => alone(app, o, "asgi"),
} as const
export type PeerName = keyof typeof peers

export async function edgeWith(app: string, { processes, dir, python, runtime, edge, workers: count = 1, more = "" }: {
  readonly processes: Processes
  readonly dir: string
  readonly python: string
  readonly runtime: "wsgi" | "asgi"
  readonly edge: readonly string[]
  readonly workers?: number
  /** Further lines of [app.app]. */
  readonly more?: string
}): Promise<Subject> {
  const port = freePort()
  const config = join(processes.folder, `edge-${port}.toml`)
  writeFileSync(config, `[server]\nfronts = 1\ncontrol = "${port}.control"\npid_file = "${port}.pid"\n[log]\nlevel = "error"\naccess = { format = "off" }
[[site]]\nlisten = ["127.0.0.1:${port}"]\n[[site.route]]\napp = "app"
[app.app]\nruntime = "${runtime}"\nentry = "${app}"\npython = "${python}"\ndir = "${dir}"\nworkers = ${count}\n${more}\n`)
  const { pid } = processes.start([...edge, "--config", config])
  const url = `http://127.0.0.1:${port}/`
  await answers(url)
  return { name: "edge", pid, url }
}

const workers = (o: PeerOptions): string => String(o.workers ?? 1)

/** The venv's program where there is one, else Debian's. */
function tool(o: PeerOptions, name: string): string {
  const own = join(o.venv, "bin", name)
  return o.venv !== "" && existsSync(own) ? own : name
}

function gunicorn(o: PeerOptions, socket: string, app: string, more: readonly string[]): string[] {
  return [tool(o, "gunicorn"), "-w", workers(o), "-b", `unix:${socket}`, "--log-level", "error", ...more, app]
}

async function behind(_app: string, o: PeerOptions, argv: (socket: string) => readonly string[], protocol: "http" | "uwsgi" = "http"): Promise<Subject> {
  const { processes } = o
  const port = freePort()
  const socket = join(processes.folder, `${port}.sock`)
  const location = protocol === "http" ? pass : `include /etc/nginx/uwsgi_params; uwsgi_pass unix:${socket};`
  const conf = nginxConfig(processes.folder, {
    name: `nginx-${port}`,
    http: `client_max_body_size 1g; ${protocol === "http" ? upstream(socket) : ""} server { listen 127.0.0.1:${port}; location / { ${location} } }`,
  })
  // One shell above both, so that their time and memory are counted together.
  const both = `nginx -c ${conf} & exec "$@"`
  const { pid } = processes.start(["sh", "-c", both, "sh", ...argv(socket)], { cwd: o.dir })
  const url = `http://127.0.0.1:${port}/`
  await answers(url)
  return { name: "", pid, url }
}

async function alone(app: string, o: PeerOptions, kind: "wsgi" | "asgi"): Promise<Subject> {
  const port = freePort()
  const factory = app.endsWith("()") ? ["--factory", app.slice(0, -2)] : [app]
  const argv = [tool(o, "granian"), "--interface", kind, "--host", "127.0.0.1", "--port", String(port), "--workers", workers(o), "--no-log", ...factory]
  const { pid } = o.processes.start(argv, { cwd: o.dir })
  const url = `http://127.0.0.1:${port}/`
  await answers(url)
  return { name: "", pid, url }
}
