/**
 * A proxied small GET: edge against nginx proxy_pass with kept upstream connections. One core each: the proxy on CPU 0,
 * wrk and the backend on CPU 1. Alternating short runs, so that what else the machine does hits both; ratios count.
 *   bun bench/proxy.ts [rounds] [seconds]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const rounds = Number(process.argv[2] ?? 5)
const seconds = Number(process.argv[3] ?? 2)
const dir = mkdtempSync(join(tmpdir(), "edge-bench-proxy-"))
const bun = process.execPath

/** A port that is free now. */
function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}

const ports = { backend: freePort(), nginx: freePort(), edge: freePort() }
const body = "x".repeat(200)

function nginx(name: string, { http, cpu }: { http: string; cpu: number }) {
  const file = join(dir, `${name}.conf`)
  writeFileSync(
    file,
    `worker_processes 1; daemon off; pid ${dir}/${name}.pid; error_log ${dir}/${name}.log error;
     events { worker_connections 4096; }
     http { access_log off; keepalive_requests 10000000; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p;
       fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s; ${http} }`,
  )
  return Bun.spawn(["taskset", "-c", String(cpu), "nginx", "-c", file], { stdout: "ignore", stderr: "inherit" })
}

const proxyFile = join(import.meta.dir, "proxy-server.ts")
const started = [
  nginx("backend", { cpu: 1, http: `server { listen 127.0.0.1:${ports.backend}; location / { default_type text/plain; return 200 "${body}"; } }` }),
  nginx("proxy", {
    cpu: 0,
    http: `upstream u { server 127.0.0.1:${ports.backend}; keepalive 64; keepalive_requests 10000000; }
      server { listen 127.0.0.1:${ports.nginx}; location / { proxy_pass http://u; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host; } }`,
  }),
  Bun.spawn(["taskset", "-c", "0", bun, proxyFile, String(ports.edge), `http://127.0.0.1:${ports.backend}`], { stdout: "ignore", stderr: "inherit" }),
]

interface Run {
  /** Requests per second. */
  rate: number
  /** Microseconds of CPU of the proxy per request. */
  cpuUs: number
  errors: number
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

async function wrk(port: number, { pid, seconds: s }: { pid: number; seconds: number }): Promise<Run> {
  const before = await cpuTicks(pid)
  const run = Bun.spawn(["taskset", "-c", "1", "wrk", "-t1", "-c32", `-d${s}s`, `http://127.0.0.1:${port}/path?x=1`], { stdout: "pipe" })
  const text = await new Response(run.stdout).text()
  const after = await cpuTicks(pid)
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0)
  const errors = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(text)
  if (errors !== null) console.error(errors[0])
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0), cpuUs: ((after - before) * 10_000) / requests, errors: errors === null ? 0 : 1 }
}

const median = (list: number[]) => list.toSorted((a, b) => a - b)[list.length >> 1]!

try {
  await Bun.sleep(1000)
  for (const port of Object.values(ports)) {
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    if ((await answer.text()) !== body) throw new Error(`port ${port} does not answer as it should`)
  }
  const [, nginxProxy, edgeProxy] = started
  await wrk(ports.edge, { pid: edgeProxy!.pid, seconds: 1 })
  const ratios: number[] = []
  const cpuRatios: number[] = []
  for (let i = 0; i < rounds; i++) {
    const theirs = await wrk(ports.nginx, { pid: nginxProxy!.pid, seconds })
    const ours = await wrk(ports.edge, { pid: edgeProxy!.pid, seconds })
    ratios.push(ours.rate / theirs.rate)
    cpuRatios.push(ours.cpuUs / theirs.cpuUs)
    console.log(
      `nginx ${theirs.rate.toFixed(0)}/s ${theirs.cpuUs.toFixed(1)} us  edge ${ours.rate.toFixed(0)}/s ${ours.cpuUs.toFixed(1)} us  ratio ${ratios.at(-1)!.toFixed(2)}  cpu ${cpuRatios.at(-1)!.toFixed(2)}`,
    )
  }
  console.log(`median: ${median(ratios).toFixed(2)} x nginx in requests/s, ${median(cpuRatios).toFixed(2)} x its CPU per request`)
} finally {
  for (const one of started) one.kill()
  await Promise.all(started.map(one => one.exited))
  rmSync(dir, { recursive: true })
}
