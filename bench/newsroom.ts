/**
 * The same newsroom twice: examples/newsroom on edge, bench/newsroom-django on Django behind nginx and Gunicorn. 20,000
 * articles each, in SQLite; all processes of a server on one core, the client on another, in turns; the median of the
 * rounds. Beside requests per second: CPU of all the server's processes per request, which holds on a busy machine too.
 *
 *   bun bench/newsroom.ts [--seconds 4] [--rounds 3] [--articles 20000] [--rows list,login] [--edge dist/edge]
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { extname, join, resolve } from "node:path"
import { parseArgs } from "node:util"

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    articles: { type: "string", default: "20000" },
    rows: { type: "string", default: "list,article,login,admin list" },
    edge: { type: "string", default: "dist/edge" },
  },
})
const python = "/usr/bin/python3"
const edge = resolve(options.edge)
const sources = { edge: join(import.meta.dir, "..", "examples", "newsroom"), django: join(import.meta.dir, "newsroom-django") }
const temp = mkdtempSync(join(tmpdir(), "edge-newsroom-"))
// nginx started as root serves as another user.
chmodSync(temp, 0o755)
const EMAIL = "editor@example.com"
const PASSWORD = "newsroom otter lantern"

interface Site {
  readonly name: string
  readonly pids: readonly number[]
  readonly base: string
  /** Milliseconds from the start of the processes to the first page. */
  readonly startMs: number
  stop(): Promise<void>
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  probe.stop()
  return probe.port
}

function run(argv: string[], cwd: string, env: Record<string, string> = {}): void {
  const { exitCode, stderr, stdout } = Bun.spawnSync(argv, { cwd, env: { ...process.env, ...env } })
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stdout}${stderr}`)
}

/** On the server's core; its output goes to a file. */
function start(argv: string[], o: { cwd: string; env?: Record<string, string>; log: string }): Bun.Subprocess {
  const out = Bun.file(join(temp, `${o.log}.log`))
  return Bun.spawn(["taskset", "-c", "1", ...argv], { cwd: o.cwd, stdin: "ignore", stdout: out, stderr: out, env: { ...process.env, ...o.env } })
}

async function ready(processes: Bun.Subprocess[], o: { name: string; base: string; since: number }): Promise<Site> {
  for (;;) {
    const status = await fetch(`${o.base}/`).then(r => r.arrayBuffer().then(() => r.status), () => 0)
    if (status === 200) break
    if (performance.now() - o.since > 20_000) throw new Error(`${o.name} answers ${status}; see ${temp}`)
    await Bun.sleep(2)
  }
  const stop = async (): Promise<void> => {
    for (const process of processes) {
      process.kill("SIGTERM")
      await process.exited
    }
  }
  return { name: o.name, base: o.base, pids: processes.map(p => p.pid), startMs: performance.now() - o.since, stop }
}

const home = { edge: join(temp, "edge"), django: join(temp, "django") }

function prepare(): void {
  cpSync(sources.edge, home.edge, { recursive: true, filter: path => !/\.db(?:-\w+)?$/.test(path) })
  const toml = readFileSync(join(home.edge, "site.toml"), "utf8")
  writeFileSync(join(home.edge, "site.toml"), `[server]\nfronts = 1\n[log]\nlevel = "error"\naccess = { format = "off" }\n${toml}`)
  run([edge, "manage", "newsroom", "migrate"], home.edge)
  run([edge, "manage", "newsroom", "seed", options.articles], home.edge, { EDGE_PASSWORD: PASSWORD })
  mkdirSync(home.django)
  cpSync(sources.django, join(home.django, "app"), { recursive: true })
  mkdirSync(join(home.django, "static"))
  cpSync(join(sources.edge, "static", "style.css"), join(home.django, "static", "style.css"))
  const manage = (...args: string[]): void => run([python, "manage.py", ...args], join(home.django, "app"), { DATA: home.django })
  manage("collectstatic", "--noinput")
  manage("migrate", "-v0")
  manage("seed", options.articles)
}

function startEdge(): Promise<Site> {
  const port = freePort()
  const since = performance.now()
  const server = start([edge], { cwd: home.edge, env: { PORT: String(port), WORKERS: "1" }, log: "edge" })
  return ready([server], { name: "edge", base: `http://127.0.0.1:${port}`, since })
}

function startDjango(): Promise<Site> {
  const port = freePort()
  const socket = join(temp, `${port}.sock`)
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(p => `${p}_temp_path ${temp}/${p};`).join(" ")
  const conf = join(temp, "nginx.conf")
  writeFileSync(
    conf,
    `worker_processes 1; daemon off; pid ${temp}/nginx.pid; error_log ${temp}/nginx.log; events { worker_connections 1024; }
     http { access_log off; include /etc/nginx/mime.types; keepalive_requests 1000000; ${paths} upstream up { server unix:${socket}; keepalive 16; }
       server { listen 127.0.0.1:${port}; location /static/ { root ${home.django}; }
         location / { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host:$server_port; proxy_pass http://up; } } }`,
  )
  const since = performance.now()
  const cwd = join(home.django, "app")
  const gunicorn = start(["gunicorn", "-w", "2", "-b", `unix:${socket}`, "--log-level", "error", "wsgi"], { cwd, env: { DATA: home.django }, log: "gunicorn" })
  const nginx = start(["/usr/sbin/nginx", "-c", conf], { cwd: temp, log: "nginx" })
  return ready([nginx, gunicorn], { name: "Django", base: `http://127.0.0.1:${port}`, since })
}

/** The processes and all below them. */
function tree(roots: readonly number[]): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue
    try {
      parents.set(Number(entry), Number(readFileSync(`/proc/${entry}/stat`, "latin1").split(") ").pop()!.split(" ")[1]))
    } catch {
      // It ended meanwhile.
    }
  }
  const below = (pid: number): boolean => roots.includes(pid) || (parents.has(pid) && below(parents.get(pid)!))
  return [...parents.keys()].filter(below)
}

function cpuMicros(roots: readonly number[]): number {
  let ticks = 0
  for (const pid of tree(roots)) {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").pop()!.split(" ")
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * 10_000
}

/** Proportional set size: pages that several processes share are counted once. MB. */
function memoryMb(roots: readonly number[]): number {
  const kb = tree(roots).map(pid => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1] ?? 0))
  return kb.reduce((sum, one) => sum + one, 0) / 1024
}

interface Figures {
  readonly rate: number
  readonly cpu: number
}

async function load(site: Site, path: string, cookie?: string): Promise<Figures> {
  // Pages of the admin take long: with many at once none would be answered within a round.
  const connections = cookie === undefined ? 16 : 4
  const header = cookie === undefined ? [] : ["-H", `Cookie: ${cookie}`]
  const wrk = async (seconds: number): Promise<{ rate: number; requests: number }> => {
    const child = Bun.spawn(["taskset", "-c", "0", "wrk", "-t1", `-c${connections}`, "--timeout", "30s", `-d${seconds}`, ...header, site.base + path], { stdout: "pipe" })
    const text = await new Response(child.stdout).text()
    if (/Non-2xx|Socket errors/.test(text)) throw new Error(`${site.name} ${path}: ${text}`)
    return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)![1]), requests: Number(/(\d+) requests in/.exec(text)![1]) }
  }
  await wrk(1)
  const before = cpuMicros(site.pids)
  const { rate, requests } = await wrk(Number(options.seconds))
  return { rate, cpu: (cpuMicros(site.pids) - before) / requests }
}

function cookiesOf(response: Response): string {
  return response.headers.getSetCookie().map(line => line.split(";")[0]).join("; ")
}

const forms = {
  edge: { token: /name="_csrf" value="([^"]+)"/, tokenName: "_csrf", user: "email" },
  Django: { token: /name="csrfmiddlewaretoken" value="([^"]+)"/, tokenName: "csrfmiddlewaretoken", user: "username" },
} as const

/** As a browser does it: the page with the form, then the form. Gives the cookies of the session. */
async function logIn(site: Site): Promise<string> {
  const form = forms[site.name as "edge"]
  const page = await fetch(`${site.base}/login`)
  const token = form.token.exec(await page.text())![1]!
  const cookie = cookiesOf(page)
  const response = await fetch(`${site.base}/login`, {
    method: "POST",
    redirect: "manual",
    headers: { cookie, origin: site.base, referer: `${site.base}/login` },
    body: new URLSearchParams({ [form.tokenName]: token, [form.user]: EMAIL, password: PASSWORD }),
  })
  await response.text()
  if (response.status !== 302 && response.status !== 303) throw new Error(`${site.name}: the login answers ${response.status}`)
  return [cookie, cookiesOf(response)].join("; ")
}

async function logins(site: Site): Promise<Figures> {
  const before = cpuMicros(site.pids)
  const since = performance.now()
  let done = 0
  const one = async (): Promise<void> => {
    while (performance.now() - since < Number(options.seconds) * 1000) {
      await logIn(site)
      done++
    }
  }
  await Promise.all([one(), one(), one(), one()])
  return { rate: done / ((performance.now() - since) / 1000), cpu: (cpuMicros(site.pids) - before) / done }
}

/** Lines that are not empty, by what they are; the style sheet is the same for both. */
function lines(folder: string): { code: number; templates: number } {
  const count = { code: 0, templates: 0 }
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const kind = path.endsWith(".html") ? "templates" : [".py", ".ts", ".tsx", ".toml"].includes(extname(path)) ? "code" : undefined
    if (kind === undefined || /test\.tsx?$|migrations|node_modules|\.edge/.test(path)) continue
    count[kind] += readFileSync(join(folder, path), "utf8").split("\n").filter(line => line.trim() !== "").length
  }
  return count
}

type Row = "list" | "article" | "login" | "admin list"
const rows = options.rows.split(",") as Row[]

type Measured = Partial<Record<Row, Figures>> & { memory: number }

async function measure(site: Site): Promise<Measured> {
  const front = await (await fetch(`${site.base}/`)).text()
  const article = /href="(\/[a-z-]+-\d+)"/.exec(front)![1]!
  const admin = site.name === "edge" ? "/admin/article" : "/admin/newsroom/article/"
  const how: Record<Row, () => Promise<Figures>> = {
    list: () => load(site, "/"),
    article: () => load(site, article),
    login: () => logins(site),
    "admin list": async () => load(site, admin, await logIn(site)),
  }
  const measured: Measured = { memory: 0 }
  for (const row of rows) measured[row] = await how[row]()
  return { ...measured, memory: memoryMb(site.pids) }
}

function median(all: number[]): number {
  return all.toSorted((a, b) => a - b)[all.length >> 1]!
}

try {
  prepare()
  const seen = { edge: [] as Measured[], Django: [] as Measured[] }
  const starts: Record<string, number[]> = { edge: [], Django: [] }
  const idle: Record<string, number[]> = { edge: [], Django: [] }
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const begin of [startEdge, startDjango]) {
      const site = await begin()
      try {
        starts[site.name]!.push(site.startMs)
        idle[site.name]!.push(memoryMb(site.pids))
        seen[site.name as "edge"].push(await measure(site))
      } finally {
        await site.stop()
      }
    }
  }
  console.log("| | edge | Django, nginx + gunicorn | ratio |\n|---|---|---|---|")
  for (const row of rows) {
    const [ours, theirs] = [seen.edge, seen.Django].map(all => median(all.map(one => one[row]!.rate))) as [number, number]
    const [our, their] = [seen.edge, seen.Django].map(all => median(all.map(one => one[row]!.cpu))) as [number, number]
    console.log(`| ${row}, requests/s | ${ours.toFixed(0)} | ${theirs.toFixed(0)} | ${(ours / theirs).toFixed(1)} |`)
    console.log(`| ${row}, CPU per request | ${our.toFixed(0)} us | ${their.toFixed(0)} us | ${(their / our).toFixed(1)} |`)
  }
  const pair = (name: string, values: Record<string, number[]>, unit: string): void => {
    const [ours, theirs] = [median(values.edge!), median(values.Django!)]
    console.log(`| ${name} | ${ours.toFixed(0)} ${unit} | ${theirs.toFixed(0)} ${unit} | ${(theirs / ours).toFixed(1)} |`)
  }
  pair("start to first page", starts, "ms")
  pair("memory, idle", idle, "MB")
  pair("memory, after the load", { edge: seen.edge.map(one => one.memory), Django: seen.Django.map(one => one.memory) }, "MB")
  const [ours, theirs] = [lines(sources.edge), lines(sources.django)]
  console.log(`| lines without CSS | ${ours.code + ours.templates} | ${theirs.code + theirs.templates} (${theirs.code} Python, ${theirs.templates} templates) | |`)
} finally {
  rmSync(temp, { recursive: true, force: true })
}
