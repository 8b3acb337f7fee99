import type { Launch, SlotKeeper, WorkerInfo, WorkerProcess, WorkerStatus } from "edge"
import type { Phase, WorkerView } from "./plan.ts"

export interface HandleOptions {
  readonly index: number
  readonly launch: Launch
  readonly version: number
  readonly servedMost: number
  readonly nowMs: number
}

/** The pool's view of one worker, from the moment its start is decided until its process is gone. */
export class WorkerHandle {
  readonly index: number
  readonly launch: Launch
  readonly version: number
  readonly servedMost: number
  /** Undefined while it boots. */
  process: WorkerProcess | undefined
  phase: Phase = "starting"
  sinceMs: number
  readyMs = 0
  settled = false
  /** It was given requests. */
  worked = false
  /** It was asked whether it is stuck, and has not answered yet. */
  asked = false
  /** Requests past their deadline that it cannot give up, */
  late = 0
  /** and how many of them are not waited for any more, once it was asked what it is doing. */
  stuck = 0
  memory = 0
  killed = false
  /** Gives up the start. */
  readonly abort = new AbortController()
  readonly startedAt = Date.now()

  constructor(options: HandleOptions) {
    this.index = options.index
    this.launch = options.launch
    this.version = options.version
    this.servedMost = options.servedMost
    this.sinceMs = options.nowMs
  }

  enter(phase: Phase, nowMs: number): void {
    this.phase = phase
    this.sinceMs = nowMs
  }

  view(keeper: SlotKeeper): WorkerView {
    const leaving = this.phase === "draining"
    return {
      index: this.index,
      serial: this.process?.serial ?? Infinity,
      version: this.version,
      phase: this.phase,
      sinceMs: this.sinceMs,
      readyMs: this.readyMs,
      settled: this.settled,
      // the truth costs a look at every slot and is only needed when it decides
      busy: leaving ? keeper.busy(this.index) : 0,
      stuck: this.stuck,
      served: keeper.served(this.index),
      servedMost: this.servedMost,
      memory: this.memory,
      tunnels: leaving ? keeper.tunnels(this.index) : 0,
      killed: this.killed,
    }
  }

  /** As fronts see it: those that take requests, and those that still end some. */
  get info(): WorkerInfo | undefined {
    const p = this.process
    if (p === undefined) return undefined
    return { app: p.app, index: p.index, serial: p.serial, pid: p.pid, transport: p.transport, address: p.address }
  }

  status(keeper: SlotKeeper): WorkerStatus | undefined {
    const info = this.info
    if (info === undefined) return undefined
    return {
      ...info,
      state: this.phase,
      startedAt: this.startedAt,
      requests: keeper.served(this.index),
      active: keeper.busy(this.index),
      memory: this.memory,
    }
  }
}
