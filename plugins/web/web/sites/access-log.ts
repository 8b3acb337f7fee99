/** The access logs that sites have of their own. */
import { AccessLog, accessLog, toAccess, type AccessSettings, type Context, type Exchange, type ExchangeEnd, type Handler } from "edge"
import * as v from "valibot"
import type { SiteConfig } from "../schema.ts"

/** One log; opened when the front starts, and there may be several sites that write to one file. */
class SiteLog {
  #open: AccessLog | null = null

  constructor(
    readonly settings: AccessSettings,
    readonly ctx: Context,
  ) {}

  open(): void {
    this.#open = new AccessLog(this.settings, this.ctx)
  }

  write(x: Exchange, end: ExchangeEnd): void {
    this.#open?.write(x, end)
  }

  async close(): Promise<void> {
    await this.#open?.close()
    this.#open = null
  }
}

export class SiteLogs {
  readonly #logs: SiteLog[] = []
  readonly #ctx: Context

  constructor(ctx: Context) {
    this.#ctx = ctx
  }

  /** What a site with this `log` writes to. */
  around(log: SiteConfig["log"], handler: Handler): Handler {
    if (log === undefined || log === true) return handler
    const to = log === false ? null : this.#make(typeof log === "string" ? v.parse(accessLog, { path: log }) : log)
    return x => {
      x.accessLog = to
      return handler(x)
    }
  }

  get files(): readonly string[] {
    return this.#logs.flatMap(({ settings: { path, format } }) => (path === "-" || format === "off" ? [] : [path]))
  }

  open(): void {
    for (const log of this.#logs) log.open()
  }

  async close(): Promise<void> {
    await Promise.all(this.#logs.map(log => log.close()))
  }

  #make(options: v.InferOutput<typeof accessLog>): SiteLog {
    const made = new SiteLog(toAccess(options, path => this.#ctx.resolve(path)), this.#ctx)
    this.#logs.push(made)
    return made
  }
}

/** A route with `log = false`. */
export function unlogged(handler: Handler): Handler {
  return x => {
    x.accessLog = null
    return handler(x)
  }
}
