import type { FrontStatus, Status } from "../../control.ts"
import type { Plan } from "../../generation/plan.ts"
import type { AttendantTable } from "../daemons/attendant-table.ts"
import type { FrontSet } from "../fronts/front-set.ts"
import type { Pool } from "../workers/pool.ts"
import type { ListeningSocket } from "../sockets/listening-socket.ts"

export interface StatusParts {
  readonly startedAt: number
  readonly generation: number
  readonly plan: Plan | undefined
  readonly sockets: readonly ListeningSocket[]
  readonly sets: readonly FrontSet[]
  readonly pools: readonly Pool[]
  readonly attendants: AttendantTable
}

/** What `edge status` shows. */
export async function statusOf(parts: StatusParts): Promise<Status> {
  const urlsOf = new Map(parts.plan?.addresses.map(({ address, urls }) => [address, urls]))
  const fronts = await Promise.all(parts.sets.map(frontsOf))
  return {
    pid: process.pid,
    startedAt: parts.startedAt,
    config: parts.plan?.config.file ?? "",
    generation: parts.generation,
    addresses: parts.sockets.map(({ address, port }) => ({ address, port, urls: urlsOf.get(address) ?? [] })),
    fronts: fronts.flat(),
    apps: parts.pools.map(pool => ({
      name: pool.name,
      gateway: pool.spec.gateway,
      runtime: pool.spec.runtime,
      use: pool.use,
      attendants: parts.attendants.status(pool.name),
      workers: pool.status(),
    })),
  }
}

async function frontsOf(set: FrontSet): Promise<FrontStatus[]> {
  return await Promise.all(
    set.fronts.map(async front => ({ ...(await front.stats()), pid: front.pid, generation: set.generation, state: set.state })),
  )
}
