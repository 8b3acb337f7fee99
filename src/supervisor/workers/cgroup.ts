/**
 * Limits of an app's workers together, by cgroup v2. Only where the folder of our own group is ours to divide (systemd's
 * `Delegate=yes`, a container with its own tree); elsewhere an error that says why, and the workers run without.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface CgroupLimits {
  readonly memory?: number | undefined
  readonly cpu?: number | undefined
  readonly pids?: number | undefined
}

/** What the kernel measures of a group; 0 where it does not. */
export interface CgroupUse {
  readonly memory: number
  readonly cpuMs: number
}

/** Microseconds in which `cpu` processors may be used. */
const PERIOD = 100_000

export class Cgroups {
  /** Folder of our own group; undefined until first asked for. */
  #base: string | undefined
  readonly #made = new Set<string>()
  readonly #root: string
  readonly #self: string

  /** `root` and `self` are those of the system; a test has its own. */
  constructor({ root = "/sys/fs/cgroup", self = "/proc/self/cgroup" } = {}) {
    this.#root = root
    this.#self = self
  }

  /** The folder of a group with these limits; a process joins by writing its number to `cgroup.procs`. Throws with the reason. */
  group(name: string, limits: CgroupLimits): string {
    const wanted = Object.entries({ memory: limits.memory, cpu: limits.cpu, pids: limits.pids }).flatMap(([key, value]) => (value === undefined ? [] : [key]))
    const base = (this.#base ??= this.#divide())
    const has = read(join(base, "cgroup.controllers")).split(/\s+/)
    const missing = wanted.filter(controller => !has.includes(controller))
    if (missing.length > 0) throw new Error(`the controllers ${missing.join(", ")} are not delegated to ${base}`)
    if (wanted.length > 0) writeFileSync(join(base, "cgroup.subtree_control"), wanted.map(controller => `+${controller}`).join(" "))
    const folder = join(base, `edge-${name}`)
    mkdirSync(folder, { recursive: true })
    this.#made.add(folder)
    if (limits.memory !== undefined) writeFileSync(join(folder, "memory.max"), String(limits.memory))
    if (limits.cpu !== undefined) writeFileSync(join(folder, "cpu.max"), `${Math.round(limits.cpu * PERIOD)} ${PERIOD}`)
    if (limits.pids !== undefined) writeFileSync(join(folder, "pids.max"), String(limits.pids))
    return folder
  }

  use(folder: string): CgroupUse {
    const usec = /^usage_usec (\d+)$/m.exec(readQuietly(join(folder, "cpu.stat")))?.[1]
    return { memory: Number(readQuietly(join(folder, "memory.current"))), cpuMs: Number(usec ?? 0) / 1000 }
  }

  /** The groups of workers that are gone. */
  remove(): void {
    for (const folder of this.#made) {
      try {
        rmdirSync(folder)
      } catch {
        // A process that made a group of its own is still in it.
      }
    }
  }

  /**
   * A group with controllers for those below it may have no processes of its own (but for the root): we move ourselves and
   * what we started one down.
   */
  #divide(): string {
    const line = read(this.#self).split("\n").find(one => one.startsWith("0::"))
    if (line === undefined) throw new Error("the system has no cgroup v2")
    const own = join(this.#root, line.slice(3))
    if (!existsSync(join(own, "cgroup.controllers"))) throw new Error("cgroup v2 is not mounted on /sys/fs/cgroup")
    if (read(join(own, "cgroup.controllers")).trim() === "") throw new Error(`no controller is delegated to ${own}`)
    const main = join(own, "edge-main")
    mkdirSync(main, { recursive: true })
    for (const pid of read(join(own, "cgroup.procs")).split("\n").filter(Boolean)) writeFileSync(join(main, "cgroup.procs"), pid)
    return own
  }
}

function read(path: string): string {
  return readFileSync(path, "utf8")
}

function readQuietly(path: string): string {
  try {
    return read(path)
  } catch {
    return ""
  }
}
