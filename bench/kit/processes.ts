/** Servers of a benchmark: started on a core of their own, stopped with it; what CPU and memory they took. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const serverCore = 0
/** Of the client and of what stands behind a proxy. */
export const clientCore = 1

/** A temporary folder that other users may read, as nginx started as root serves as one. */
export function benchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `edge-bench-${name}-`))
  chmodSync(folder, 0o755)
  return folder
}

export function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}

/** Processes that end with the benchmark. */
export class Processes {
  readonly #started: Bun.Subprocess[] = []

  constructor(readonly folder: string) {}

  start(argv: readonly string[], { core = serverCore, cwd, env }: { core?: number; cwd?: string; env?: Record<string, string> } = {}): Bun.Subprocess {
    const child = Bun.spawn(["taskset", "-c", String(core), ...argv], {
      cwd: cwd ?? this.folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", Bun.file(join(this.folder, `${this.#started.length}.out`)), Bun.file(join(this.folder, `${this.#started.length}.err`))],
    })
    this.#started.push(child)
    return child
  }

  async stop(): Promise<void> {
    // A shell's children do not end with it.
    const all = this.#started.flatMap(child => family(child.pid))
    for (const child of this.#started) child.kill("SIGTERM")
    await Promise.race([Promise.all(this.#started.map(child => child.exited)), Bun.sleep(3000)])
    for (const pid of all) {
      try {
        process.kill(pid, "SIGKILL")
      } catch {
        // It ended by itself.
      }
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Waits up to 15 s for a 2xx or 4xx answer. */
export async function answers(url: string): Promise<void> {
  const deadline = Date.now() + 15_000
  while (Date.now() < deadline) {
    const status = await fetch(url).then(r => r.arrayBuffer().then(() => r.status), () => 0)
    if (status >= 200 && status < 500) return
    await Bun.sleep(50)
  }
  throw new Error(`nothing answers at ${url}`)
}

/** The process and all below it. */
export function family(root: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue
    const fields = statOf(Number(entry))
    if (fields !== null) parents.set(Number(entry), Number(fields[1]))
  }
  const isBelow = (pid: number): boolean => pid === root || (parents.has(pid) && isBelow(parents.get(pid)!))
  return [...parents.keys()].filter(isBelow)
}

/** Microseconds of CPU, user and system, that the processes have used; the grain is 10 ms. */
export function cpuMicros(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const fields = statOf(pid)
    if (fields !== null) ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * 10_000
}

/** Proportional set size in kB: pages shared by n processes count 1/n for each (proc(5), smaps_rollup). */
export function pssKb(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids) {
    try {
      sum += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1] ?? 0)
    } catch {
      // It ended meanwhile.
    }
  }
  return sum
}

/** The fields of proc(5) stat after the name, state first. */
function statOf(pid: number): string[] | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").pop()!.split(" ")
  } catch {
    return null
  }
}
