/**
 * WSGI through edge against nginx with Gunicorn and nginx with uWSGI: the same app, one worker each, all processes of a
 * server on one core, the client (wrk) on another, in turns; the median of the rounds. Access logs are off everywhere.
 * Beside requests per second: microseconds of CPU that all processes of the server took per request, which holds also on
 * a machine that others use.
 *
 *   bun bench/wsgi.ts [--seconds 3] [--rounds 3] [--apps bare,large,flask(),django()] [--edge dist/edge]
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    apps: { type: "string", default: "bare,large,flask(),django()" },
    edge: { type: "string", default: "" },
  },
})
const python = "/usr/bin/python3"
const apps = join(import.meta.dir, "python")
const temp = mkdtempSync(join(tmpdir(), "edge-bench-"))
// nginx started as root serves as another user.
chmodSync(temp, 0o755)
const servers = ["edge", "nginx + gunicorn", "nginx + uWSGI"] as const
type Server = (typeof servers)[number]

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  probe.stop()
  return probe.port
}

/** On the last core; its output goes to a file. */
function start(argv: string[], log: string): Bun.Subprocess {
  return Bun.spawn(["taskset", "-c", "1", ...argv], {
    cwd: apps,
    stdin: "ignore",
    stdout: Bun.file(join(temp, `${log}.out`)),
    stderr: Bun.file(join(temp, `${log}.err`)),
  })
}

function nginx(port: number, pass: string, head = ""): Bun.Subprocess {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(p => `${p}_temp_path ${temp}/${p};`).join(" ")
  const conf = join(temp, `nginx-${port}.conf`)
  writeFileSync(
    conf,
    `worker_processes 1; daemon off; pid ${temp}/nginx-${port}.pid; error_log ${temp}/nginx.log;
     events { worker_connections 1024; }
     http { access_log off; keepalive_requests 1000000; ${paths} ${head}
       server { listen 127.0.0.1:${port}; location / { ${pass} } } }`,
  )
  return start(["/usr/sbin/nginx", "-c", conf], "nginx")
}

/** Starts the server for `app`; returns its processes, the first of which is told to end first. */
function serve(server: Server, app: string, port: number): Bun.Subprocess[] {
  const socket = join(temp, `${port}.sock`)
  if (server === "nginx + gunicorn") {
    const worker = start(["gunicorn", "-w", "1", "-b", `unix:${socket}`, "--log-level", "error", `apps:${app}`], "gunicorn")
    const pass = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_pass http://up;'
    return [nginx(port, pass, `upstream up { server unix:${socket}; keepalive 16; }`), worker]
  }
  if (server === "nginx + uWSGI") {
    // uWSGI calls factories by itself, and knows no parentheses.
    const callable = app.endsWith("()") ? app : `apps:${app}`
    const wsgi = app.endsWith("()") ? ["--module", `apps:${app}`] : ["--wsgi", callable]
    const flags = ["--plugin", "python3", "--socket", socket, "--chmod-socket=666", "--master", "--processes", "1", "--disable-logging"]
    const worker = start(["uwsgi", ...flags, "--need-app", "--die-on-term", ...wsgi], "uwsgi")
    return [nginx(port, `include /etc/nginx/uwsgi_params; uwsgi_pass unix:${socket};`), worker]
  }
  const config = join(temp, `${port}.toml`)
  writeFileSync(
    config,
    `[server]\nfronts = 1\ncontrol = "${temp}/${port}.control"\npid_file = "${temp}/${port}.pid"\n[log]\nlevel = "error"\naccess = { format = "off" }\n` +
      `[[site]]\nlisten = ["127.0.0.1:${port}"]\n[[site.route]]\napp = "app"\n` +
      `[app.app]\nruntime = "wsgi"\nentry = "apps:${app}"\npython = "${python}"\ndir = "${apps}"\nworkers = 1\n`,
  )
  const edge = options.edge === "" ? [process.execPath, join(import.meta.dir, "../src/main.ts")] : [join(process.cwd(), options.edge)]
  return [start([...edge, "--config", config], "edge")]
}

async function ready(url: string): Promise<void> {
  const deadline = Date.now() + 15_000
  for (;;) {
    const status = await fetch(url).then(r => r.arrayBuffer().then(() => r.status), () => 0)
    if (status === 200) return
    if (Date.now() > deadline) throw new Error(`${url} answers ${status}; see ${temp}`)
    await Bun.sleep(50)
  }
}

/** CPU time in microseconds that the processes and all below them have used. */
function cpuMicros(roots: number[]): number {
  const processes = new Map<number, { parent: number; ticks: number }>()
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, "latin1").split(") ").pop()!.split(" ")
      processes.set(Number(entry), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) })
    } catch {
      // It ended meanwhile.
    }
  }
  const below = (pid: number): boolean => roots.includes(pid) || (processes.has(pid) && below(processes.get(pid)!.parent))
  let ticks = 0
  for (const [pid, process] of processes) if (below(pid)) ticks += process.ticks
  return ticks * 10_000
}

interface Figures {
  /** Requests per second. */
  readonly rate: number
  /** Microseconds of CPU per request. */
  readonly cpu: number
}

async function load(url: string, seconds: number): Promise<{ rate: number; requests: number }> {
  const wrk = Bun.spawn(["taskset", "-c", "0", "wrk", "-t1", "-c16", `-d${seconds}`, url], { stdout: "pipe" })
  const text = await new Response(wrk.stdout).text()
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`${url}: ${text}`)
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)![1]), requests: Number(/(\d+) requests in/.exec(text)![1]) }
}

async function measure(server: Server, app: string): Promise<Figures> {
  const port = freePort()
  const processes = serve(server, app, port)
  try {
    const url = `http://127.0.0.1:${port}/`
    await ready(url)
    await load(url, 1)
    const pids = processes.map(process => process.pid)
    const before = cpuMicros(pids)
    const { rate, requests } = await load(url, Number(options.seconds))
    return { rate, cpu: (cpuMicros(pids) - before) / requests }
  } finally {
    for (const process of processes) {
      process.kill("SIGTERM")
      await process.exited
    }
  }
}

function median(all: Figures[], key: keyof Figures): number {
  return all.map(figures => figures[key]).toSorted((a, b) => a - b)[all.length >> 1]!
}

console.log("| app | server | requests/s | edge is x times faster | CPU us/request | edge is x times cheaper |")
console.log("|---|---|---|---|---|---|")
for (const app of options.apps.split(",")) {
  const seen = new Map<Server, Figures[]>(servers.map(server => [server, []]))
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const server of servers) seen.get(server)!.push(await measure(server, app))
  }
  const edge = seen.get("edge")!
  for (const [server, all] of seen) {
    const rate = median(all, "rate")
    const cpu = median(all, "cpu")
    const faster = (median(edge, "rate") / rate).toFixed(2)
    const cheaper = (cpu / median(edge, "cpu")).toFixed(2)
    console.log(`| ${app} | ${server} | ${rate.toFixed(0)} | ${faster} | ${cpu.toFixed(0)} | ${cheaper} |`)
  }
}
rmSync(temp, { recursive: true, force: true })
