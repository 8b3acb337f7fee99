import { readFileSync } from "node:fs"

/** Resident bytes of a process: second number of /proc/PID/statm, in pages; 0 where that cannot be read (out of descriptors). */
export function residentBytes(pid: number): number {
  try {
    if (process.platform !== "linux" && pid === process.pid) return process.memoryUsage.rss()
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096
  } catch {
    return 0
  }
}
