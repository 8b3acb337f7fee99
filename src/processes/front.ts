/** `edge __front`: accepts from the sockets it inherited and serves one generation of the config. */
import { FrontBus } from "../generation/bus.ts"
import { Config } from "../config/config.ts"
import { reason } from "../errors.ts"
import { FrontLinks } from "./front-links.ts"
import { type Generation, type GenerationHost, setUp } from "../generation/generation.ts"
import { FileCertificates } from "../certificates/from-files.ts"
import type { ServedCertificates } from "../certificates/served.ts"
import { type HttpListener, listen, type ListenOptions } from "../http/server/listener.ts"
import type { TlsOptions } from "../http/server/tls.ts"
import { trustedPeers } from "../http/server/trust.ts"
import { type AccessLog, openAccessLog, reopenAccessLogs } from "../log/access.ts"
import { createLogger, type Logger } from "../log/logger.ts"
import type { Handler } from "../http/middleware/chain.ts"
import type { PartCommand } from "../contract/plugin.ts"
import { keepPrivateFiles, type PrivateFiles } from "./private-files.ts"
import { problemPage } from "./problem-page.ts"
import { become, findIdentity, isRoot } from "../system/identity.ts"
import { residentBytes } from "../system/memory.ts"
import type { FrontStart, FrontStats, FromFront, Told, ToFront } from "../supervisor/fronts/messages.ts"

/** The supervisor is gone: requests in flight get so long, as nobody is left to hurry us. */
const ORPHAN_GRACE_MS = 5000
/** Parts may take so long to stop when the last connection has ended. */
const STOP_MS = 5000

/** Resolves with the exit code. */
export function run(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const front = new Front(resolve)
  process.on("message", (message: ToFront) => front.receive(message))
  process.on("disconnect", () => void front.leave({ graceMs: ORPHAN_GRACE_MS, tunnelGraceMs: ORPHAN_GRACE_MS }))
  // The supervisor decides: a stray signal to the whole group must not cut requests.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {})
  process.on("uncaughtException", error => front.uncaught("uncaught exception", error))
  process.on("unhandledRejection", error => front.uncaught("unhandled rejection", error))
  say({ type: "hello" })
  return promise
}

function say(message: FromFront): void {
  if (process.connected) process.send!(message)
}

function pagesOf({ pages, front }: FrontStart): Pick<GenerationHost, "pages"> {
  return pages === undefined ? {} : { pages: { folder: pages, front } }
}

class Front {
  log: Logger = createLogger({ level: "info", format: "text" })
  readonly #exit: (code: number) => void
  readonly #listeners: HttpListener[] = []
  readonly #links = new FrontLinks(say)
  readonly #bus = new FrontBus((topic, data) => say({ type: "cast", topic, data }))
  #start: FrontStart | undefined
  #config: Config | undefined
  #generation: Generation | undefined
  #access: AccessLog | undefined
  #certificates: ServedCertificates | undefined
  readonly #fromFiles = new FileCertificates()
  #requests = 0
  #problem: string | null = null
  #leaving = false
  /** What is thrown before is a start that failed: the old fronts, which are well, then stay. */
  #accepting = false

  constructor(exit: (code: number) => void) {
    this.#exit = exit
  }

  receive(message: ToFront): void {
    switch (message.type) {
      case "start":
        return void this.#prepare(message.start)
      case "listen":
        return this.#accept()
      case "workers":
        return this.#links.change(message.app, message.state)
      case "leave":
        return void this.leave(message)
      case "files":
        return void this.#changeFiles(message.files)
      case "reopen":
        return this.#reopen()
      case "problem":
        this.#problem = message.text
        return
      case "cast":
        return this.#bus.hear(message.topic, message.data)
      case "ping":
        return say({ type: "pong", id: message.id })
      case "stats":
        return say({ type: "stats", id: message.id, stats: this.#stats(message.requests === true) })
      case "tell":
        return void this.#tell(message.command).then(told => say({ type: "told", id: message.id, told }))
    }
  }

  /** Everything but accepting. */
  async #prepare(start: FrontStart): Promise<void> {
    this.#start = start
    this.#problem = start.problem ?? null
    try {
      const config = (this.#config = Config.fromJSON(start.config))
      const { server, log } = config.readKernel().kernel
      this.log = createLogger(log).with({ front: start.front })
      // The log, and all that is a plugin's, comes after root's rights.
      keepPrivateFiles(start.files)
      if (server.user !== undefined && isRoot()) become(findIdentity(server.user, server.group))
      this.#access = openAccessLog(log.access, { log: this.log, dev: start.dev })
      if (this.#problem === null) {
        this.#links.fill(start, this.log)
        const generation = await setUp(config, {
          log: this.log,
          dev: start.dev,
          bus: this.#bus,
          link: app => this.#links.link(app, generation),
          ...pagesOf(start),
        })
        await generation.start()
        this.#generation = generation
        await this.#keepCertificates(generation)
        for (const command of start.told ?? []) await this.#tell(command)
      }
      say({ type: "ready" })
    } catch (error) {
      this.#fail(reason(error))
    }
  }

  async #keepCertificates({ certificates, state }: Generation): Promise<void> {
    if (certificates === undefined) return
    const { serveCertificates } = await import("../certificates/served.ts")
    this.#certificates = await serveCertificates(certificates, { store: state, log: this.log })
  }

  /** Accepting on all addresses, or none of it: the front is no use half. */
  #accept(): void {
    try {
      this.#listen()
      this.#accepting = true
      say({ type: "listening" })
    } catch (error) {
      this.#fail(`cannot accept: ${reason(error)}`)
    }
  }

  /** One plugin's timer or forgotten promise must not cut everybody's requests. */
  uncaught(what: string, error: unknown): void {
    this.log.error(what, { error })
    if (!this.#accepting && !this.#leaving) this.#fail(`${what} before the first accept: ${reason(error)}`)
  }

  #fail(why: string): void {
    say({ type: "failed", error: why })
    this.#exit(1)
  }

  #listen(): void {
    const { limits, trustedProxies } = this.#config!.readKernel().kernel.server
    const trusted = trustedPeers(trustedProxies)
    const access = this.#access
    for (const { address, fd } of this.#start!.sockets) {
      const binding = this.#generation?.bindings.find(one => one.address === address)
      this.#listeners.push(
        listen({
          fd,
          address,
          handler: this.#handler(binding?.handler),
          limits,
          trusted,
          log: this.log,
          ...(binding?.tls !== undefined && this.#tls(binding.tls)),
          ...(binding?.proxyProtocol === true && { proxyProtocol: true }),
          onExchangeEnd: (x, end) => {
            this.#requests++
            if (x.accessLog !== undefined) x.accessLog?.write(x, end)
            else access?.write(x, end)
          },
        }),
      )
    }
  }

  #tls(tls: TlsOptions): Pick<ListenOptions, "tls" | "findCertificate"> {
    const certificates = this.#certificates
    this.#fromFiles.add(tls.certificates)
    if (tls.kept === undefined || certificates === undefined) return { tls, findCertificate: name => this.#fromFiles.find(name) }
    const first = { ...certificates.pairFor(tls.kept), hosts: [] }
    const all = tls.certificates.length > 0 ? tls.certificates : [first]
    return { tls: { ...tls, certificates: all }, findCertificate: name => certificates.find(name) ?? this.#fromFiles.find(name) }
  }

  /** In dev a page with the error stands before everything while the config or an app is broken. */
  #handler(handler: Handler | undefined): Handler {
    const site = handler === undefined || this.#certificates === undefined ? handler : this.#certificates.around(handler)
    if (!this.#start!.dev) return site!
    return x => (this.#problem !== null || site === undefined ? problemPage(this.#problem ?? "") : site(x))
  }

  /** Accepts no more, finishes what it has, and exits. Told again, it hurries. */
  async leave(times: { graceMs: number; tunnelGraceMs: number }): Promise<void> {
    if (this.#leaving) {
      if (times.graceMs === 0) for (const listener of this.#listeners) void listener.sendClosingAnswers()
      return
    }
    this.#leaving = true
    await Promise.all(
      this.#listeners.map(listener => {
        listener.stop()
        return listener.drain(times)
      }),
    )
    this.#certificates?.stop()
    await this.#generation?.stop(AbortSignal.timeout(STOP_MS))
    await this.#access?.close()
    this.#exit(0)
  }

  async #changeFiles(files: PrivateFiles): Promise<void> {
    keepPrivateFiles(files)
    await this.#fromFiles.renew().catch((error: unknown) => this.log.error("new certificates cannot be used; the old ones are served", { error: reason(error) }))
  }

  #reopen(): void {
    try {
      reopenAccessLogs()
    } catch (error) {
      this.log.error("an access log cannot be opened anew; the old file goes on", { error: reason(error) })
    }
  }

  /** Parts that are alike in every front are told alike; the first one that refuses ends it. */
  async #tell(command: PartCommand): Promise<Told> {
    const answers: unknown[] = []
    try {
      for (const { live } of this.#generation?.parts ?? []) {
        const answer = await live.command?.(command)
        if (answer !== undefined) answers.push(answer)
      }
      return { answers }
    } catch (error) {
      return { error: (error as Error).message }
    }
  }

  #stats(requests: boolean): FrontStats {
    const connections = this.#listeners.reduce((sum, listener) => sum + listener.connections, 0)
    const facts = { pid: process.pid, connections, requests: this.#requests, memory: residentBytes(process.pid) }
    return requests ? { ...facts, now: this.#links.requests } : facts
  }
}
