/** What the supervisor and a front say to each other over IPC. Plain data; JSON on the wire. */
import type { ConfigJson } from "../../config/config.ts"
import type { PrivateFiles } from "../../processes/private-files.ts"
import type { PartCommand } from "../../contract/plugin.ts"
import type { RequestNow, WorkerInfo, WorkerReport } from "../../contract/gateway.ts"

/** An address that the front accepts from, and the descriptor under which it inherited the listening socket. */
export interface InheritedSocket {
  readonly address: string
  readonly fd: number
}

/** What fronts know about one app's workers. */
export interface AppState {
  readonly workers: readonly WorkerInfo[]
  /** File of the shared page; absent when the gateway made none. */
  readonly page?: string
}

export interface FrontStart {
  /** Unique among living fronts, 0 to 63. */
  readonly front: number
  readonly config: ConfigJson
  /** Certificates and keys, as they were when the config was taken up. */
  readonly files: PrivateFiles
  readonly sockets: readonly InheritedSocket[]
  readonly apps: Readonly<Record<string, AppState>>
  readonly dev: boolean
  /** Folder of the pages that fronts share; absent when the config needs none. */
  readonly pages?: string
  /** In dev: shown instead of the site, as the config or an app is broken. */
  readonly problem?: string
  /** What the fronts of the set were told before this one began. */
  readonly told?: readonly PartCommand[]
}

export type ToFront =
  /** Set everything up and start it, accept nothing yet. Answer: "ready" or "failed". */
  | { readonly type: "start"; readonly start: FrontStart }
  /** Every front of the set is ready: accept. Answer: "listening". */
  | { readonly type: "listen" }
  | { readonly type: "workers"; readonly app: string; readonly state: AppState }
  /** Stop accepting, finish, and end with exit code 0. */
  | { readonly type: "leave"; readonly graceMs: number; readonly tunnelGraceMs: number }
  | { readonly type: "reopen" }
  | { readonly type: "problem"; readonly text: string | null }
  /** The files of certificates have changed, and were tried. */
  | { readonly type: "files"; readonly files: PrivateFiles }
  /** Is it well? Answer: "pong", at once and of nothing that could fail: statistics need descriptors and memory. */
  | { readonly type: "ping"; readonly id: number }
  /** `requests`: also what the workers do now. */
  | { readonly type: "stats"; readonly id: number; readonly requests?: boolean }
  /** What another front said to all (Bus). */
  | { readonly type: "cast"; readonly topic: string; readonly data: unknown }
  /** For the parts that take commands. Answer: "told". */
  | { readonly type: "tell"; readonly id: number; readonly command: PartCommand }

export type FromFront =
  | { readonly type: "hello" }
  | { readonly type: "ready" }
  | { readonly type: "failed"; readonly error: string }
  | { readonly type: "listening" }
  | { readonly type: "report"; readonly app: string; readonly report: WorkerReport }
  | { readonly type: "stats"; readonly id: number; readonly stats: FrontStats }
  | { readonly type: "pong"; readonly id: number }
  | { readonly type: "cast"; readonly topic: string; readonly data: unknown }
  | { readonly type: "told"; readonly id: number; readonly told: Told }

/** The answers of the parts that the command was for, or why it was refused. */
export type Told = { readonly answers: readonly unknown[] } | { readonly error: string }

export interface FrontStats {
  readonly pid: number
  /** Connections that are open now. */
  readonly connections: number
  /** Requests answered since the front began. */
  readonly requests: number
  /** Resident bytes. */
  readonly memory: number
  /** By app, when it was asked for. */
  readonly now?: Readonly<Record<string, readonly RequestNow[]>>
}
