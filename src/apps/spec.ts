/** One `[app.x]`: its keys are split between the kernel, its runtime, its gateway and its framework. */
import { locateError, formatLocated } from "../registry/source-location.ts"
import type { AppConfig } from "../config/kernel.ts"
import { appCommon } from "../config/kernel-schemas.ts"
import type { Path } from "../config/path.ts"
import { keysOf } from "../config/schema.ts"
import { nearest, quote } from "../config/suggest.ts"
import { errors, reason } from "../errors.ts"
import type { BuiltTop, Parts } from "../generation/parts.ts"
import type { AppSpec, Gateway } from "../contract/gateway.ts"
import type { Framework } from "../contract/framework.ts"
import type { Kind, Kinds } from "../contract/plugin.ts"
import type { Launch, Runtime } from "../contract/runtime.ts"
import type { Registered, Registry } from "../registry/registry.ts"

export interface SetUpApp {
  readonly spec: AppSpec
  /** How one worker is started; undefined when the gateway starts none (inline). */
  readonly launch?: Launch
  readonly runtime: Runtime
  readonly gateway: Gateway
  /** Undefined for runtimes that are not TypeScript. */
  readonly framework?: Framework
  /** The gateway is a third party's: its supervising half runs in a child of the supervisor. */
  readonly external: boolean
}

type AppKind = "runtime" | "gateway" | "framework"

/** Undefined when something is wrong with it, which is then told. */
export async function setUpApp(app: AppConfig, host: { parts: Parts; registry: Registry }): Promise<SetUpApp | undefined> {
  return new AppSetup(app, host.parts, host.registry).run()
}

class AppSetup {
  readonly #path: Path

  constructor(
    readonly app: AppConfig,
    readonly parts: Parts,
    readonly registry: Registry,
  ) {
    this.#path = ["app", app.name]
  }

  async run(): Promise<SetUpApp | undefined> {
    const [runtime, gateway] = [await this.find("runtime"), await this.find("gateway")]
    const runtimePart = runtime && (await this.build("runtime", runtime))
    const gatewayPart = gateway && (await this.build("gateway", gateway))
    // Python and other programs bring their own framework.
    const typescript = runtimePart === undefined || runtimePart.part.inline === true
    const framework = typescript ? await this.find("framework") : undefined
    const frameworkPart = framework && (await this.build("framework", framework))
    const found = [runtime, gateway, framework].filter(one => one !== undefined)
    const whole = runtime !== undefined && gateway !== undefined && (framework !== undefined || !typescript)
    if (whole) await this.tellUnknownKeys(found)
    if (runtimePart === undefined || gatewayPart === undefined) return undefined
    if (typescript && frameworkPart === undefined) return undefined
    if (gatewayPart.part.inline === true && !typescript) {
      this.parts.tell(errors.notInline(this.app.runtime), [...this.#path, "gateway"])
      return undefined
    }
    return this.finish({
      runtime: runtimePart,
      gateway: gatewayPart,
      ...(frameworkPart !== undefined && { framework: frameworkPart }),
      external: gateway?.file !== undefined,
      ...(runtime?.file !== undefined && { runtimeFile: runtime.file }),
      ...(framework?.file !== undefined && { frameworkFile: framework.file }),
    })
  }

  async find<K extends AppKind>(kind: K): Promise<Registered<K> | undefined> {
    const name = this.app[kind]
    const found = await this.registry.find(kind, name)
    if (found === undefined) this.parts.tellUnknown(kind, name, { path: this.namedAt(kind) })
    return found
  }

  /** Where the config names the part: in the app, or for all apps in [layers]. */
  namedAt(kind: AppKind): Path {
    const own = [...this.#path, kind]
    return kind === "runtime" || this.parts.isWritten(own) ? own : ["layers", kind]
  }

  /** Each part gets the keys that its schema names. */
  build<K extends AppKind>(kind: K, found: Registered<K>): Promise<BuiltTop<Kinds[K]> | undefined> {
    const mine = keysOf(found.plugin.config)
    const value = Object.fromEntries(Object.entries(this.app.rest).filter(([key]) => mine.includes(key)))
    return this.parts.top(kind, found, { value, path: this.#path, named: this.namedAt(kind) })
  }

  async tellUnknownKeys(found: readonly Registered<Kind>[]): Promise<void> {
    const known = [...new Set([...keysOf(appCommon), ...found.flatMap(one => keysOf(one.plugin.config))])]
    for (const key of Object.keys(this.app.rest)) {
      if (known.includes(key)) continue
      const owners = nearest(key, known) === undefined ? await this.ownersOf(key) : []
      const said = owners.length === 0 ? errors.unknownKey(key, known) : errors.keyOfOther(key, owners)
      this.parts.tell(said, [...this.#path, key], { key: true })
    }
  }

  /** `python` of an app that forgot `runtime = "wsgi"`. */
  async ownersOf(key: string): Promise<readonly string[]> {
    const owners: string[] = []
    for (const kind of ["runtime", "gateway", "framework"] as const) {
      for (const name of this.registry.names(kind)) {
        const found = await this.registry.find(kind, name)
        if (found !== undefined && keysOf(found.plugin.config).includes(key)) owners.push(`${kind} ${quote(name)}`)
      }
    }
    return owners
  }

  finish(made: {
    runtime: BuiltTop<Runtime>
    gateway: BuiltTop<Gateway>
    framework?: BuiltTop<Framework>
    external: boolean
    frameworkFile?: string
    runtimeFile?: string
  }): SetUpApp | undefined {
    const { app } = this
    const { runtime, gateway, framework, external, frameworkFile } = made
    const spec: AppSpec = {
      name: app.name,
      dir: app.dir,
      runtime: app.runtime,
      gateway: app.gateway,
      framework: app.framework,
      ...(frameworkFile !== undefined && { frameworkFile }),
      env: app.env,
      concurrency: app.concurrency ?? runtime.part.concurrency,
      timeoutMs: app.timeoutMs,
      ...(app.user !== undefined && { user: app.user }),
      ...(app.group !== undefined && { group: app.group }),
      ...(app.limits !== undefined && { limits: app.limits }),
      ...(app.attendants !== undefined && { attendants: app.attendants }),
      ...(app.log !== undefined && { log: app.log }),
      options: { runtime: runtime.options, gateway: gateway.options, framework: framework?.options ?? {} },
    }
    const parts = {
      spec,
      runtime: runtime.part,
      gateway: gateway.part,
      ...(framework !== undefined && { framework: framework.part }),
      external,
    }
    if (gateway.part.supervise === undefined) return parts
    try {
      return { ...parts, launch: runtime.part.launch(spec) }
    } catch (error) {
      const why = made.runtimeFile === undefined ? reason(error) : formatLocated(locateError(error, made.runtimeFile))
      this.parts.tell(errors.setupFailed(`runtime "${app.runtime}"`, why), this.#path)
      return undefined
    }
  }
}
