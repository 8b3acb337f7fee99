/** The upstreams of one proxy: those of the config, the addresses behind their names, and what was changed by hand. */
import { Http2Upstream, HttpUpstream, parseTarget, type Context, type HttpUpstreamOptions, type Logger, type UpstreamTarget } from "edge"
import type { Health } from "../health/health.ts"
import { toEndpoint, type Endpoint, type ServerRules } from "./endpoint.ts"
import type { Probe } from "../health/probe.ts"
import { DnsWatch, type Found } from "./dns-watch.ts"
import type { ServerOptions } from "../schema.ts"

export interface ServersOf {
  readonly shared: Omit<HttpUpstreamOptions, "target">
  readonly health: Health
  readonly ctx: Context
  readonly log: Logger
  readonly resolver: string | undefined
  /** Spoken to in HTTP/2. */
  readonly http2: boolean
  /** Who asks how an endpoint is; null when nobody does. */
  makeProbe(endpoint: Endpoint): Probe | null
}

interface Watched {
  readonly watch: DnsWatch
  /** By what was found; the one of the bare name until then. */
  endpoints: Map<string, Endpoint>
}

export class Servers {
  readonly #of: ServersOf
  readonly #probes = new Map<Endpoint, Probe>()
  readonly #watched: Watched[] = []
  #started = false

  constructor(of: ServersOf) {
    this.#of = of
  }

  /** Throws when the URL or an option cannot be. */
  add(server: ServerOptions, { fresh }: { fresh: boolean }): void {
    const target = parseTarget(server.url, path => this.#of.ctx.resolve(path))
    const rules: ServerRules = { weight: server.weight, backup: server.backup, most: server.max_conns }
    if (this.#of.health.endpoints.some(endpoint => endpoint.upstream.id === target.id)) throw new Error(`${target.id} is there already`)
    const { resolve } = server
    if (resolve === undefined) {
      this.#join(target, { rules, fresh })
      return
    }
    if (target.unix !== "") throw new Error("a unix socket has no name to resolve")
    // Until the first answer the name itself is asked, so that nobody waits for DNS. SRV names have no address.
    const endpoints = new Map<string, Endpoint>()
    if (!server.srv) endpoints.set("", this.#join(target, { rules, fresh }))
    const onFound = (found: readonly Found[]): void => this.#follow(watched, { target, rules, found })
    const names = { name: target.hostname, srv: server.srv, resolver: this.#of.resolver, everyMs: resolve }
    const watched: Watched = { watch: new DnsWatch(names, { log: this.#of.log, onFound }), endpoints }
    this.#watched.push(watched)
    if (this.#started) watched.watch.start()
  }

  get endpoints(): readonly Endpoint[] {
    return this.#of.health.endpoints
  }

  /** Undefined when there is none of that name. */
  find(id: string): Endpoint | undefined {
    return this.endpoints.find(endpoint => endpoint.upstream.id === id)
  }

  remove(endpoint: Endpoint): void {
    this.#of.health.remove(endpoint)
    this.#probes.get(endpoint)?.stop()
    this.#probes.delete(endpoint)
    endpoint.upstream.close()
  }

  start(): void {
    this.#started = true
    for (const probe of this.#probes.values()) probe.start()
    for (const { watch } of this.#watched) watch.start()
  }

  stop(): void {
    for (const { watch } of this.#watched) watch.stop()
    for (const probe of this.#probes.values()) probe.stop()
    for (const endpoint of this.endpoints) endpoint.upstream.close()
  }

  #join(target: UpstreamTarget, { rules, fresh, serverName }: { rules: ServerRules; fresh: boolean; serverName?: string }): Endpoint {
    const { shared, health } = this.#of
    const named = serverName === undefined || shared.tls?.serverName !== undefined ? shared : { ...shared, tls: { ...shared.tls, serverName } }
    const endpoint = toEndpoint(new (this.#of.http2 ? Http2Upstream : HttpUpstream)({ ...named, target, weight: rules.weight }), rules)
    const probe = this.#of.makeProbe(endpoint)
    if (probe !== null) this.#probes.set(endpoint, probe)
    health.add(endpoint, { fresh })
    if (this.#started) probe?.start()
    return endpoint
  }

  /** New places first, so that there is always one to go to. */
  #follow(watched: Watched, { target, rules, found }: { target: UpstreamTarget; rules: ServerRules; found: readonly Found[] }): void {
    const first = watched.endpoints.has("") || watched.endpoints.size === 0
    const endpoints = new Map<string, Endpoint>()
    for (const place of found) {
      const port = place.port ?? target.port
      const key = place.hostname.includes(":") ? `[${place.hostname}]:${port}` : `${place.hostname}:${port}`
      const own = { weight: place.weight ?? rules.weight, backup: place.backup || rules.backup, most: rules.most }
      const at = { ...target, id: `${target.id} (${key})`, hostname: place.hostname, port }
      const serverName = target.secure && place.port === undefined ? target.hostname : place.hostname
      endpoints.set(key, watched.endpoints.get(key) ?? this.#join(at, { rules: own, fresh: !first, ...(target.secure && { serverName }) }))
    }
    const gone = [...watched.endpoints].filter(([key]) => !endpoints.has(key))
    watched.endpoints = endpoints
    for (const [, endpoint] of gone) this.remove(endpoint)
    if (gone.length > 0 && !first) this.#of.log.info("upstreams of a name changed", { name: target.hostname, now: [...endpoints.keys()] })
  }
}
