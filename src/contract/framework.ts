/** Layer 3: what an app's module means. */
import type { Awaitable } from "../http/middleware/chain.ts"
import type { AppSpec } from "./gateway.ts"

/** Gives meaning to what an app's entry exports. */
export interface Framework {
  load(module: Record<string, unknown>, app: AppSpec): Awaitable<AppModule>
}

export interface AppModule {
  fetch(request: Request, info: RequestFacts): Awaitable<Response>
  /** Bun's websocket handlers, when the app upgrades with `info.server.upgrade(request)`. */
  readonly websocket?: object
  start?(): Awaitable<void>
  stop?(): Awaitable<void>
  /** `edge manage APP ...`: starts of the app what the command needs. Gives the exit code. */
  manage?(argv: readonly string[]): Awaitable<number>
}

/** Second argument of `fetch`: what a standard Request cannot say. Hono sees it as `c.env`. */
export interface RequestFacts {
  readonly ip: string
  readonly scheme: "http" | "https"
  /** What `strip` took off. */
  readonly prefix: string
  readonly server?: unknown
  waitUntil?(promise: Promise<unknown>): void
}
