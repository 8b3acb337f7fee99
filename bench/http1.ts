/**
 * A file of 1 kB from memory: the HTTP/1.1 engine against nginx with open_file_cache, no access log for both. One core
 * each: the server on CPU 0, wrk on CPU 1. Alternating short runs, so that what else the machine does hits both; ratios
 * count. "plain" is wrk's own head, "browser" has the fields of a browser.
 *   bun bench/http1.ts [rounds] [seconds]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const rounds = Number(process.argv[2] ?? 5)
const seconds = Number(process.argv[3] ?? 2)
const dir = mkdtempSync(join(tmpdir(), "edge-bench-http1-"))

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}

const ports = { nginx: freePort(), edge: freePort() }
mkdirSync(join(dir, "www"))
writeFileSync(join(dir, "www", "1k.html"), "a".repeat(1024))
writeFileSync(
  join(dir, "nginx.conf"),
  // Started as root its worker would be another user, who may not read the folder.
  `${process.getuid?.() === 0 ? "user root;" : ""} worker_processes 1; daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log error;
   events { worker_connections 4096; }
   http { access_log off; open_file_cache max=100 inactive=1h; open_file_cache_valid 1h; sendfile on; tcp_nopush on;
     keepalive_requests 1000000000; types { text/html html; } client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p;
     fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
     server { listen 127.0.0.1:${ports.nginx}; root ${dir}/www; } }`,
)
const pinned = (...command: string[]) => Bun.spawn(["taskset", "-c", "0", ...command], { stdout: "ignore", stderr: "inherit" })
const servers = {
  nginx: pinned("nginx", "-c", join(dir, "nginx.conf")),
  edge: pinned(process.execPath, join(import.meta.dir, "http1-server.ts"), String(ports.edge)),
}
type Name = keyof typeof servers

const heads: Record<string, string[]> = {
  plain: [],
  browser: [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-US,en;q=0.9",
    "Referer: https://example.com/page",
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
    "Connection: keep-alive",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Upgrade-Insecure-Requests: 1",
  ],
}

/** User and system time of a process and its children, in clock ticks of 10 ms. */
async function cpuTicks(pid: number): Promise<number> {
  const children = (await Bun.file(`/proc/${pid}/task/${pid}/children`).text()).trim().split(" ").filter(Boolean).map(Number)
  let ticks = 0
  for (const one of [pid, ...children]) {
    const fields = (await Bun.file(`/proc/${one}/stat`).text()).split(") ")[1]!.split(" ")
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks
}

interface Run {
  /** Requests per second. */
  readonly rate: number
  /** Microseconds of the server's CPU per request. */
  readonly cpuUs: number
}

async function load(name: Name, head: string[]): Promise<Run> {
  const { pid } = servers[name]
  const before = await cpuTicks(pid)
  const fields = head.flatMap(field => ["-H", field])
  const run = Bun.spawn(["taskset", "-c", "1", "wrk", "-t1", "-c64", `-d${seconds}s`, ...fields, `http://127.0.0.1:${ports[name]}/1k.html`], { stdout: "pipe" })
  const text = await new Response(run.stdout).text()
  const ticks = (await cpuTicks(pid)) - before
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(text)
  const requests = Number(/(\d+) requests in/.exec(text)?.[1])
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]), cpuUs: (ticks * 10_000) / requests }
}

const median = (list: number[]) => list.toSorted((a, b) => a - b)[list.length >> 1]!

async function compare(kind: string): Promise<void> {
  const head = heads[kind]!
  await load("edge", head)
  const ratios: number[] = []
  const cpu: number[] = []
  for (let i = 0; i < rounds; i++) {
    const theirs = await load("nginx", head)
    const ours = await load("edge", head)
    ratios.push(ours.rate / theirs.rate)
    cpu.push(ours.cpuUs / theirs.cpuUs)
    console.log(
      `${kind}: nginx ${theirs.rate.toFixed(0)}/s ${theirs.cpuUs.toFixed(1)} us  edge ${ours.rate.toFixed(0)}/s ${ours.cpuUs.toFixed(1)} us  ratio ${ratios.at(-1)!.toFixed(2)}`,
    )
  }
  console.log(`${kind}: median ${median(ratios).toFixed(2)} x nginx in requests/s, ${median(cpu).toFixed(2)} x its CPU per request`)
}

try {
  await Bun.sleep(1000)
  for (const kind of Object.keys(heads)) await compare(kind)
} finally {
  for (const server of Object.values(servers)) server.kill()
  await Promise.all(Object.values(servers).map(server => server.exited))
  rmSync(dir, { recursive: true })
}
