import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import type { Edge } from "../kit/edge.ts"

/** Files that the front holds and that have no name any more. */
export function spooled(edge: Edge): string[] {
  return fronts(edge).flatMap(pid =>
    readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
      try {
        const link = readlinkSync(`/proc/${pid}/fd/${fd}`)
        return link.includes("edge-spool-") ? [link] : []
      } catch {
        return []
      }
    }),
  )
}

export function fronts(edge: Edge): number[] {
  return readdirSync("/proc").map(Number).filter(pid => {
    if (!(pid > 0)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("__front") && Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))![1]) === edge.pid
    } catch {
      return false
    }
  })
}
