import { readFileSync } from "node:fs"

/** Resident bytes of a process: second number of /proc/PID/statm, in pages; 0 where there is no /proc. */
export function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096
  } catch {
    return 0
  }
}
