/** The way from a config to fronts that serve it: build new, swap, stop old. The start is a renewal with nothing old. */
import { reason } from "../../errors.ts"
import type { Logger } from "../../log/logger.ts"
import type { Plan } from "../../generation/plan.ts"
import type { ControlServer } from "../control/control-server.ts"
import type { FrontSet } from "../fronts/front-set.ts"
import type { Generations, Times } from "../fronts/generations.ts"
import type { AttendantTable } from "../daemons/attendant-table.ts"
import type { CertificateKeeper } from "../certificates/certificate-keeper.ts"
import type { HookHost } from "../hook-host.ts"
import { findIdentity, type Identity, isRoot } from "../../system/identity.ts"
import { prepareLogs } from "../log/log-files.ts"
import { type ConfigSource, makePlanInChild } from "./planner.ts"
import type { PoolTable } from "../workers/pool-table.ts"
import type { RunFolder } from "../run-folder.ts"
import type { SocketTable } from "../sockets/socket-table.ts"
import type { ListeningSocket } from "../sockets/listening-socket.ts"

export interface RenewalParts {
  readonly source: ConfigSource
  readonly dev: boolean
  /** A predecessor serves, and has the control socket until we do. */
  readonly takesOver: boolean
  /** At the start an app that cannot boot is tried again, and the others serve. */
  readonly patient: boolean
  /** Control socket instead of the config's. */
  readonly control: string | undefined
  readonly sockets: SocketTable
  readonly controlServer: ControlServer
  readonly pools: PoolTable
  readonly folder: RunFolder
  readonly hooks: HookHost
  readonly attendants: AttendantTable
  readonly certificates: CertificateKeeper
  readonly generations: Generations
  /** Aborted when edge is to stop. */
  readonly signal: AbortSignal
  readonly log: Logger
  /** From now on `log` does what this config says. */
  logAs(plan: Plan): void
}

/** One generation that serves. */
export interface Serving {
  readonly set: FrontSet
  readonly plan: Plan
  readonly log: Logger
  /** Addresses that were not open before it. */
  readonly fresh: readonly ListeningSocket[]
}

/** Old fronts have taken what was in the accept queue by then; a socket that nobody wants is closed after it. */
const CLOSE_SOCKET_MS = 1000
/** In dev nobody waits for an old page; what it holds open is closed soon, so that the browser connects anew. */
const DEV_TIMES: Times = { graceMs: 1000, tunnelGraceMs: 0 }

/** Rejects with what is wrong, and then nothing has changed. */
export async function renew(parts: RenewalParts, options: { old: Serving | undefined; rollAll: boolean }): Promise<Serving> {
  const { old, rollAll } = options
  const { dev, signal } = parts
  const takesOver = parts.takesOver && old === undefined
  const undo: (() => unknown)[] = []
  let plan: Plan | undefined
  try {
    if (old !== undefined) await parts.hooks.beforeReload()
    plan = await makePlanInChild({ source: parts.source, dev }, signal)
    const control = await parts.controlServer.prepare(parts.control ?? plan.server.control)
    undo.push(control.rollback)
    // Before the first connection is accepted, and before apps boot: who asks meanwhile waits for the answer.
    if (!takesOver) control.open()
    const fronts = frontsIdentity(plan)
    const { log } = parts
    if (old === undefined) parts.logAs(plan)
    prepareLogs(plan, fronts)
    const addresses = plan.addresses.map(({ address }) => address)
    const sockets = await parts.sockets.prepare(addresses, { dir: plan.config.dir, mode: plan.server.socketMode, ...(fronts !== undefined && { owner: fronts }) })
    undo.push(sockets.rollback)
    const hooks = await parts.hooks.prepare(plan, { log, dev })
    undo.push(hooks.rollback)
    const pools = await parts.pools.prepare(plan, { fronts, log, patient: parts.patient && old === undefined })
    undo.push(pools.rollback)
    signal.throwIfAborted()
    const pages = plan.pages.length === 0 ? {} : { pages: parts.folder.pagesFolder(fronts) }
    const set = parts.generations.make(plan, { sockets: sockets.sockets, pools: pools.pools, log, ...pages })
    let accepts = false
    // What a front has accepted before another one failed is answered.
    undo.push(() => (accepts ? parts.generations.retire(set, { graceMs: plan!.server.graceMs, tunnelGraceMs: 0 }) : set.kill()))
    await set.start()
    await pools.roll(rollAll)
    signal.throwIfAborted()

    accepts = true
    await set.listen()

    parts.logAs(plan)
    // The new fronts serve. What fails from here on (a full disk, no descriptors) is told, and the rest is done all the same.
    const { server, pages: declared } = plan
    const unwanted = sockets.commit()
    if (old !== undefined) parts.generations.retire(old.set, dev ? DEV_TIMES : server)
    setTimeout(() => unwanted.forEach(socket => socket.close()), CLOSE_SOCKET_MS)
    if (takesOver) attempt(log, "the control socket cannot be taken over", control.open)
    control.commit()
    for (const socket of sockets.sockets) attempt(log, `the mode of ${socket.address} cannot be set`, () => socket.setMode?.(server.socketMode))
    attempt(log, "workers that are no longer wanted cannot be ended", () => pools.commit(old?.set.gone))
    attempt(log, "old pages cannot be removed", () => parts.folder.keepPages(declared))
    attempt(log, "the hooks cannot be told", hooks.commit)
    attempt(log, "certificates cannot be kept", () => parts.certificates.follow(plan!, { log }))
    attempt(log, "daemons and cron cannot be renewed", () => parts.attendants.follow(plan!, { fronts, log, all: rollAll }))
    return { set, plan, log, fresh: sockets.fresh }
  } catch (error) {
    for (const back of undo.toReversed()) {
      try {
        await back()
      } catch (failure) {
        parts.log.error("a failed reload cannot be undone in full", { error: failure })
      }
    }
    // Loaded when needed: places of the config bring its whole parser with them.
    const { placeOfListenError } = await import("../sockets/listen-error-place.ts")
    throw placeOfListenError(error, plan)
  }
}

function attempt(log: Logger, what: string, act: () => void): void {
  try {
    act()
  } catch (error) {
    log.error(`${what}: ${reason(error)}`)
  }
}

/** Who the fronts become; undefined when they stay what we are. */
export function frontsIdentity({ server }: Plan): Identity | undefined {
  return isRoot() && server.user !== undefined ? findIdentity(server.user, server.group) : undefined
}
