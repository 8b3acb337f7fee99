/** One config made live in one process: the web layer and the apps are set up, then started, and stopped in reverse. */
import type { Bus, Kind, Live } from "../contract/plugin.ts"
import { noBus } from "./bus.ts"
import type { DnsProvider } from "../contract/dns.ts"
import type { CertificatePlan } from "../contract/certificates.ts"
import type { Config } from "../config/config.ts"
import { kernelKeys } from "../config/kernel-schemas.ts"
import { formatPath } from "../config/path.ts"
import { setUpApp, type SetUpApp } from "../apps/spec.ts"
import { locateError, formatLocated } from "../registry/source-location.ts"
import { ConfigError, EdgeError, errors, type Problem, reason } from "../errors.ts"
import { HttpError } from "../http/message/errors.ts"
import { type BuiltPart, Parts } from "./parts.ts"
import { type DeclaredPage, FrontPages } from "./front-pages.ts"
import type { AppLink } from "../contract/gateway.ts"
import type { Answer, Awaitable, Handler } from "../http/middleware/chain.ts"
import type { Binding, Web } from "../contract/web.ts"
import type { Exchange } from "../http/message/exchange.ts"
import type { Logger } from "../log/logger.ts"
import type { Store } from "../contract/store.ts"
import { Registry } from "../registry/registry.ts"
import { setUpStore, State } from "./state.ts"

export interface GenerationHost {
  readonly log: Logger
  /** True in `edge dev`. */
  readonly dev: boolean
  /** How this process reaches an app's workers; without it (`edge check`) gateways are not connected. */
  link?(app: string): AppLink
  /** Where fronts share their pages, and which front this is; without it (`edge check`) pages are this process's own. */
  readonly pages?: { readonly folder: string; readonly front: number }
  /** How parts reach themselves in the other fronts; none where there are none. */
  readonly bus?: Bus
  /** Longest that a part may take to be set up; default 10 s. */
  readonly setupMaxMs?: number
}

export interface Generation {
  readonly bindings: readonly Binding[]
  /** Files that the web layer appends to; absolute. */
  readonly logFiles: readonly string[]
  readonly apps: readonly SetUpApp[]
  /** Certificates that edge keeps itself. */
  readonly certificates: CertificatePlan | undefined
  /** Who proves names by DNS for them. */
  readonly dns: DnsProvider | undefined
  /** What `server.state` names. */
  readonly state: Store
  /** Some plugin wants to be told what happens to the server. */
  readonly hooks: boolean
  /** Every part that was set up, children first. */
  readonly parts: readonly BuiltPart[]
  /** Pages that parts want to share over all fronts. */
  readonly pages: readonly DeclaredPage[]
  /** Starts parts of these kinds alone: for processes that serve nothing. */
  startOnly(kinds: readonly Kind[]): Promise<void>
  /** Connects the apps, then starts the parts, children first. When one throws, what was started is stopped again. */
  start(): Promise<void>
  /** Stops everything in reverse; `deadline` is aborted when there is no more time. Never throws: what fails is logged. */
  stop(deadline: AbortSignal): Promise<void>
}

const SETUP_MAX_MS = 10_000
/** How long a part may take to stop when another one could not start. */
const UNDO_MS = 5000

/** Checks everything and builds every part. Throws a ConfigError with all that is wrong. Opens nothing. */
export async function setUp(config: Config, host: GenerationHost): Promise<Generation> {
  const { kernel, problems: found } = config.readKernel()
  const problems: Problem[] = [...found]
  const registry = await Registry.open(config, problems)
  const generation = new LiveGeneration(config, host)
  const parts = new Parts({
    config,
    registry,
    problems,
    log: host.log,
    dev: host.dev,
    bus: host.bus ?? noBus,
    signal: generation.ended.signal,
    store: generation.state,
    page: (name, words) => generation.frontPages.declare(name, words),
    appNames: appNames(config),
    setupMaxMs: host.setupMaxMs ?? SETUP_MAX_MS,
    app: name => generation.app(name),
    redispatch: x => generation.redispatch(x),
  })
  const store = await setUpStore(kernel.server.state, { parts, registry })
  if (store !== undefined) generation.state.adopt(store)
  const apps: SetUpApp[] = []
  for (const app of kernel.apps) {
    const ready = await setUpApp(app, { parts, registry })
    if (ready !== undefined) apps.push(ready)
  }
  const web = await setUpWeb({ config, parts, registry, name: kernel.layers.web })
  if (problems.length > 0) throw new ConfigError(problems)
  if (web === undefined) throw new EdgeError(errors.part("the web layer could not be set up"))
  generation.adopt({ apps, bindings: web.bindings, logFiles: web.logFiles ?? [], certificates: web.certificates, dns: web.dns, parts: parts.built, hooks: registry.hooks.length > 0 })
  return generation
}

async function setUpWeb(o: { config: Config; parts: Parts; registry: Registry; name: string }): Promise<Web | undefined> {
  const { config, parts, registry, name } = o
  const found = await registry.find("web", name)
  if (found === undefined) {
    parts.tellUnknown("web", name, { path: ["layers", "web"] })
    return undefined
  }
  const kernels = kernelKeys as readonly string[]
  const value = Object.fromEntries(Object.entries(config.tree).filter(([key]) => !kernels.includes(key)))
  config.alias(value, config.tree, [])
  return (await parts.top("web", found, { value, path: [], otherKeys: kernelKeys, named: ["layers", "web"] }))?.part
}

function appNames(config: Config): readonly string[] {
  const apps = config.tree["app"]
  return typeof apps === "object" && apps !== null ? Object.keys(apps) : []
}

interface Running {
  readonly what: string
  readonly live: Live<unknown>
}

class LiveGeneration implements Generation {
  readonly ended = new AbortController()
  bindings: readonly Binding[] = []
  logFiles: readonly string[] = []
  certificates: CertificatePlan | undefined
  dns: DnsProvider | undefined
  apps: readonly SetUpApp[] = []
  parts: readonly BuiltPart[] = []
  readonly state: State
  readonly frontPages: FrontPages
  hooks = false
  /** App -> where its requests go; set when its gateway is connected. */
  readonly #connected = new Map<string, Handler>()
  readonly #names: ReadonlySet<string>
  #running: Running[] = []

  constructor(
    readonly config: Config,
    readonly host: GenerationHost,
  ) {
    this.#names = new Set(appNames(config))
    this.state = new State(host.log)
    this.frontPages = new FrontPages(host.pages)
  }

  adopt(made: Pick<Generation, "apps" | "bindings" | "logFiles" | "certificates" | "dns" | "parts" | "hooks">): void {
    this.hooks = made.hooks
    this.apps = made.apps
    this.bindings = made.bindings
    this.logFiles = made.logFiles
    this.certificates = made.certificates
    this.dns = made.dns
    this.parts = made.parts
  }

  get pages(): readonly DeclaredPage[] {
    return this.frontPages.declared
  }

  /** Bound late: routes are folded before the apps are connected. */
  app(name: string): Handler | undefined {
    if (!this.#names.has(name)) return undefined
    let handler: Handler | undefined
    return x => {
      handler ??= this.#connected.get(name)
      if (handler === undefined) throw new HttpError(503, `the app "${name}" is not connected`)
      return handler(x)
    }
  }

  redispatch(x: Exchange): Awaitable<Answer> {
    const binding = this.bindings.find(b => b.address === x.conn.local) ?? this.bindings[0]
    if (binding === undefined) throw new HttpError(503, "there is no web layer")
    return binding.handler(x)
  }

  async start(): Promise<void> {
    try {
      for (const app of this.apps) await this.#connect(app)
      for (const part of this.parts) await this.#startPart(part)
    } catch (error) {
      await this.stop(AbortSignal.timeout(UNDO_MS))
      throw error
    }
  }

  async startOnly(kinds: readonly Kind[]): Promise<void> {
    for (const part of this.parts) if (kinds.includes(part.kind)) await this.#startPart(part)
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.ended.abort()
    this.state.close()
    const running = this.#running.toReversed()
    this.#running = []
    for (const { what, live } of running) {
      try {
        await live.stop?.(deadline)
      } catch (error) {
        this.host.log.error("a part did not stop as it should", { part: what, error: reason(error) })
      }
    }
  }

  async #connect(app: SetUpApp): Promise<void> {
    const link = this.host.link?.(app.spec.name)
    if (link === undefined) return
    const live = await app.gateway.connect(app.spec, link)
    await this.#run({ what: `app "${app.spec.name}"`, live })
    this.#connected.set(app.spec.name, live.part)
  }

  async #startPart(part: BuiltPart): Promise<void> {
    try {
      await this.#run(part)
    } catch (error) {
      const why = part.file === undefined ? reason(error) : formatLocated(locateError(error, part.file))
      const problem = { ...errors.startFailed(part.what, why), place: this.config.placeOf(part.path), at: formatPath(part.path) }
      throw new ConfigError([problem], { cause: error })
    }
  }

  async #run(running: Running): Promise<void> {
    await running.live.start?.()
    this.#running.push(running)
  }
}
