/**
 * A Hono app behind edge (one worker over frames; inline) against nginx -> the same app on Bun.serve over a unix socket,
 * and against bare Bun.serve. Every subject has core 0 for itself, the client (wrk) core 1; the subjects take turns, so
 * that a noisy machine is noisy for all. Usage: bun bench/frames.ts [seconds] [rounds]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listenUnix } from "../src/supervisor/sockets/listening-socket.ts"

const seconds = Number(process.argv[2] ?? 3)
const rounds = Number(process.argv[3] ?? 3)
const folder = mkdtempSync(join(tmpdir(), "edge-bench-"))
const here = import.meta.dir
const children: Bun.Subprocess[] = []

interface Subject {
  readonly name: string
  readonly port: number
  readonly pids: readonly number[]
}

function start(argv: string[], options: { env?: Record<string, string>; fd?: number } = {}) {
  const child = Bun.spawn(["taskset", "-c", "0", ...argv], {
    env: { ...process.env, NODE_ENV: "production", ...options.env },
    stdio: ["ignore", "pipe", "inherit", ...(options.fd === undefined ? [] : [options.fd])],
  } as never) as Bun.Subprocess<"ignore", "pipe", "inherit">
  children.push(child)
  return child
}

async function firstLine(child: Bun.Subprocess<"ignore", "pipe", "inherit">): Promise<string> {
  for await (const chunk of child.stdout) return new TextDecoder().decode(chunk).trim()
  throw new Error("it said nothing")
}

async function bare(): Promise<Subject> {
  const child = start([process.execPath, join(here, "frames/bare.ts"), "port"])
  return { name: "Bun.serve", port: Number(await firstLine(child)), pids: [child.pid] }
}

async function nginx(): Promise<Subject> {
  const socket = join(folder, "bun.sock")
  const app = start([process.execPath, join(here, "frames/bare.ts"), "unix", socket])
  await firstLine(app)
  const port = freePort()
  writeFileSync(
    join(folder, "nginx.conf"),
    `${process.getuid?.() === 0 ? "user root;" : ""} daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
    events { worker_connections 4096; }
    http { access_log off; keepalive_requests 1000000; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p;
      fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
      upstream app { server unix:${socket}; keepalive 128; keepalive_requests 1000000; }
      server { listen 127.0.0.1:${port};
        location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } } }`,
  )
  const server = start(["nginx", "-p", folder, "-c", join(folder, "nginx.conf")])
  await answers(port)
  return { name: "nginx -> Bun.serve", port, pids: [app.pid, ...childrenOf(server.pid)] }
}

async function pool(): Promise<Subject> {
  const socket = join(folder, "worker.sock")
  const fd = listenUnix(socket, 0o600)
  const app = { name: "bench", dir: join(here, "frames"), runtime: "fetch", gateway: "pool", framework: "hono", env: {}, concurrency: 100,
    timeoutMs: 30_000, options: { runtime: { entry: "app.ts" }, gateway: {}, framework: {} } }
  const worker = start([process.execPath, join(here, "../src/main.ts"), "__worker"], {
    env: { EDGE_WORKER: JSON.stringify({ app, dev: false, index: "0", run: folder }) },
    fd,
  })
  const front = start([process.execPath, join(here, "frames/front.ts"), "pool", socket])
  return { name: "edge pool", port: Number(await firstLine(front)), pids: [worker.pid, front.pid] }
}

async function inline(): Promise<Subject> {
  const front = start([process.execPath, join(here, "frames/front.ts"), "inline"])
  return { name: "edge inline", port: Number(await firstLine(front)), pids: [front.pid] }
}

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}

async function answers(port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await fetch(`http://127.0.0.1:${port}/`).then(r => r.ok, () => false)) return
    await Bun.sleep(50)
  }
  throw new Error(`nothing answers on ${port}`)
}

function childrenOf(pid: number): number[] {
  const text = Bun.spawnSync(["pgrep", "-P", String(pid)]).stdout.toString()
  return [pid, ...text.trim().split("\n").filter(Boolean).map(Number)]
}

/** CPU ticks (10 ms) of the processes, user and system. */
async function ticks(pids: readonly number[]): Promise<number> {
  let sum = 0
  for (const pid of pids) {
    const fields = (await Bun.file(`/proc/${pid}/stat`).text()).split(") ")[1]!.split(" ")
    sum += Number(fields[11]) + Number(fields[12])
  }
  return sum
}

/** Requests a second and microseconds of CPU for each. */
async function measure(subject: Subject, path: string): Promise<[rate: number, cpuUs: number]> {
  const before = await ticks(subject.pids)
  const wrk = Bun.spawn(["taskset", "-c", "1", "wrk", "-t1", "-c64", `-d${seconds}s`, `http://127.0.0.1:${subject.port}${path}`])
  const text = await new Response(wrk.stdout).text()
  const cpu = (await ticks(subject.pids)) - before
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1])
  const requests = Number(/(\d+) requests in/.exec(text)?.[1])
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`${subject.name}: ${text}`)
  return [rate, (cpu * 10_000) / requests]
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}

try {
  const subjects = [await nginx(), await pool(), await bare(), await inline()]
  for (const path of ["/", "/json/7"]) {
    const got = new Map(subjects.map(s => [s.name, { rates: [] as number[], cpus: [] as number[] }]))
    for (let round = 0; round < rounds; round++) {
      for (const subject of subjects) {
        const [rate, cpu] = await measure(subject, path)
        got.get(subject.name)!.rates.push(rate)
        got.get(subject.name)!.cpus.push(cpu)
      }
    }
    const rate = (name: string): number => median(got.get(name)!.rates)
    // The least of its rounds: what others do on the machine only adds to it.
    const cpu = (name: string): number => Math.min(...got.get(name)!.cpus)
    console.log(`\nGET ${path}`)
    for (const { name } of subjects) {
      console.log(`  ${name.padEnd(20)} ${rate(name).toFixed(0).padStart(8)}/s  ${cpu(name).toFixed(1).padStart(6)} us CPU`)
    }
    for (const [mine, theirs] of [["edge pool", "nginx -> Bun.serve"], ["edge inline", "Bun.serve"]] as const) {
      const ratios = `${(rate(mine) / rate(theirs)).toFixed(2)} by rate, ${(cpu(theirs) / cpu(mine)).toFixed(2)} by CPU`
      console.log(`  ${mine} / ${theirs}: ${ratios}`)
    }
  }
} finally {
  for (const child of children) child.kill("SIGTERM")
  await Promise.race([Promise.all(children.map(child => child.exited)), Bun.sleep(2000)])
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
}
