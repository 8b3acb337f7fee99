/**
 * The control socket as its users see it: JSON over HTTP on a unix socket of mode 0600, so that `curl --unix-socket`
 * can speak it too. POST / takes a Command, the body of the answer is a ControlAnswer.
 */
import type { FrontStats } from "./supervisor/fronts/messages.ts"
import type { PartCommand } from "./contract/plugin.ts"
import type { RequestNow, WorkerStatus } from "./contract/gateway.ts"
import { EdgeError } from "./errors.ts"

export type Command =
  /** Answered when the new fronts serve, or with the error. */
  | { readonly do: "reload"; readonly apps: boolean }
  /** Answered at once; the socket is gone when edge has stopped. */
  | { readonly do: "stop"; readonly now: boolean }
  | { readonly do: "status" }
  | { readonly do: "workers"; readonly stack: boolean }
  | { readonly do: "scale"; readonly app: string; readonly workers: number }
  /** For parts that take commands, in every front that serves; `keep`: fronts that start later are told too, until a reload. */
  | { readonly do: "tell"; readonly command: PartCommand; readonly keep: boolean }

export type ControlAnswer =
  | { readonly ok: false; readonly error: string }
  | {
      readonly ok: true
      readonly pid?: number
      readonly generation?: number
      readonly status?: Status
      readonly workers?: readonly AppWorkers[]
      /** To "tell": the answers of each front's parts. */
      readonly told?: readonly (readonly unknown[])[]
    }

export interface Status {
  readonly pid: number
  readonly startedAt: number
  readonly config: string
  readonly generation: number
  readonly addresses: readonly { readonly address: string; readonly port: number; readonly urls: readonly string[] }[]
  readonly fronts: readonly FrontStatus[]
  readonly apps: readonly AppStatus[]
}

export interface FrontStatus extends Partial<FrontStats> {
  readonly pid: number
  readonly generation: number
  readonly state: string
}

export interface AppStatus {
  readonly name: string
  readonly gateway: string
  readonly runtime: string
  readonly use: AppUse
  readonly attendants: readonly AttendantStatus[]
  readonly workers: readonly WorkerStatus[]
}

/** A daemon or a cron job. */
export interface AttendantStatus {
  readonly name: string
  readonly kind: "daemon" | "cron"
  /** While it runs. */
  readonly pid?: number
  readonly startedAt?: number
  readonly starts: number
  /** When a job begins next, in ms since 1970. */
  readonly next?: number
}

/** Since the app's gateway was started, workers that are gone included; `memory` is of those that run, shared pages counted in each. */
export interface AppUse {
  readonly requests?: number
  readonly starts?: number
  readonly memory: number
  /** What the kernel counts for all of them together, where `cgroup` is in force. */
  readonly cgroup?: { readonly memory: number; readonly cpuMs: number }
}

export interface AppWorkers {
  readonly app: string
  readonly workers: readonly (WorkerStatus & {
    /** The requests that it has, the oldest first. */
    readonly now: readonly RequestNow[]
    readonly stack?: string
  })[]
}

/** Sends one command. An EdgeError when nobody listens there, or when edge says no. */
export async function control(path: string, command: Command): Promise<ControlAnswer & { ok: true }> {
  let response: Response
  try {
    // A reload takes as long as the slowest app takes to boot: no time limit here.
    response = await fetch("http://edge/", { unix: path, method: "POST", body: JSON.stringify(command), signal: null })
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    const why = code === "FailedToOpenSocket" || code === "ENOENT" || code === "ConnectionRefused" ? "edge is not running there" : message
    throw new EdgeError({ code: "control/unreachable", message: `no answer on the control socket ${path}: ${why}` })
  }
  const answer = (await response.json()) as ControlAnswer
  if (!answer.ok) throw new EdgeError({ code: "control/refused", message: answer.error })
  return answer
}

/** Resolves when nobody answers on the socket any more. */
export async function waitForEnd(path: string): Promise<void> {
  for (;;) {
    try {
      const connection = await Bun.connect({ unix: path, socket: { data() {}, error() {} } })
      connection.terminate()
    } catch {
      return
    }
    await Bun.sleep(50)
  }
}
