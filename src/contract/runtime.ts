/** How a worker of an app is started and spoken to. */
import type { Awaitable } from "../http/middleware/chain.ts"
import type { AppSpec } from "./gateway.ts"

export interface Runtime {
  /** Default of an app's `concurrency`. */
  readonly concurrency: number
  launch(app: AppSpec): Launch
  /** For `edge check`: which key of the app names what is not there, and why. Runs nothing of the app. */
  check?(app: AppSpec): Awaitable<{ readonly key: string; readonly why: string } | undefined>
  /** True when gateway "inline" can run it inside a front (TypeScript). */
  readonly inline?: boolean
}

/** What the fronts speak to a worker. */
export type Transport = "frames" | "http" | "fastcgi" | "uwsgi"

/**
 * How one worker is started: plain data, made by a runtime, carried out by the supervisor. In `argv`, `env` values and
 * `cwd` these are replaced: `{run}` private folder with `files`, `{socket}` path of this worker's unix socket,
 * `{port}` a free port of 127.0.0.1, `{index}` number of the worker, `{app}` name of the app.
 */
export interface Launch {
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly transport: Transport
  /**
   * "inherit": the supervisor listens on `{socket}` and hands the descriptor to the worker as 3 (frames workers);
   * "bind": the program itself listens on `{socket}` or on `{port}`, whichever comes first.
   */
  readonly socket: "inherit" | "bind"
  /** A request that is past its deadline cannot be given up, only ended with its worker (threads, one request at once). */
  readonly blocking?: boolean
  /** `argv` starts a warm parent, which forks the workers (docs/worker-protocol.md, "Forking"). Frames and "inherit" only. */
  readonly preload?: boolean
  /** Somebody else runs it already, here (path of a unix socket, or host:port): nothing is started, `argv` is empty. */
  readonly address?: string
  /** Files to be written to `{run}` before the first start, by name. */
  readonly files?: Readonly<Record<string, string>>
}
