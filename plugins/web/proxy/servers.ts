/** The upstreams of one proxy: those of the config, the addresses behind their names, and what was changed by hand. */
import { Http2Upstream, HttpUpstream, parseTarget, type Context, type HttpUpstreamOptions, type Logger, type UpstreamTarget } from "edge"
import type { Health } from "./health.ts"
import { toMember, type Member, type ServerRules } from "./member.ts"
import type { Probe } from "./probe.ts"
import { NameWatch, type Found } from "./resolve.ts"
import type { ServerOptions } from "./schema.ts"

export interface ServersOf {
  readonly shared: Omit<HttpUpstreamOptions, "target">
  readonly health: Health
  readonly ctx: Context
  readonly log: Logger
  readonly resolver: string | undefined
  /** Spoken to in HTTP/2. */
  readonly http2: boolean
  /** Who asks how a member is; null when nobody does. */
  makeProbe(member: Member): Probe | null
}

interface Watched {
  readonly watch: NameWatch
  /** By what was found; the one of the bare name until then. */
  members: Map<string, Member>
}

export class Servers {
  readonly #of: ServersOf
  readonly #probes = new Map<Member, Probe>()
  readonly #watched: Watched[] = []
  #started = false

  constructor(of: ServersOf) {
    this.#of = of
  }

  /** Throws when the URL or an option cannot be. */
  add(server: ServerOptions, { fresh }: { fresh: boolean }): void {
    const target = parseTarget(server.url, path => this.#of.ctx.resolve(path))
    const rules: ServerRules = { weight: server.weight, backup: server.backup, most: server.max_conns }
    if (this.#of.health.members.some(member => member.upstream.id === target.id)) throw new Error(`${target.id} is there already`)
    const { resolve } = server
    if (resolve === undefined) {
      this.#join(target, { rules, fresh })
      return
    }
    if (target.unix !== "") throw new Error("a unix socket has no name to resolve")
    // Until the first answer the name itself is asked, so that nobody waits for DNS. SRV names have no address.
    const members = new Map<string, Member>()
    if (!server.srv) members.set("", this.#join(target, { rules, fresh }))
    const onFound = (found: readonly Found[]): void => this.#follow(watched, { target, rules, found })
    const names = { name: target.hostname, srv: server.srv, resolver: this.#of.resolver, everyMs: resolve }
    const watched: Watched = { watch: new NameWatch(names, { log: this.#of.log, onFound }), members }
    this.#watched.push(watched)
    if (this.#started) watched.watch.start()
  }

  get members(): readonly Member[] {
    return this.#of.health.members
  }

  /** Undefined when there is none of that name. */
  find(id: string): Member | undefined {
    return this.members.find(member => member.upstream.id === id)
  }

  remove(member: Member): void {
    this.#of.health.remove(member)
    this.#probes.get(member)?.stop()
    this.#probes.delete(member)
    member.upstream.close()
  }

  start(): void {
    this.#started = true
    for (const probe of this.#probes.values()) probe.start()
    for (const { watch } of this.#watched) watch.start()
  }

  stop(): void {
    for (const { watch } of this.#watched) watch.stop()
    for (const probe of this.#probes.values()) probe.stop()
    for (const member of this.members) member.upstream.close()
  }

  #join(target: UpstreamTarget, { rules, fresh, serverName }: { rules: ServerRules; fresh: boolean; serverName?: string }): Member {
    const { shared, health } = this.#of
    const named = serverName === undefined || shared.tls?.serverName !== undefined ? shared : { ...shared, tls: { ...shared.tls, serverName } }
    const member = toMember(new (this.#of.http2 ? Http2Upstream : HttpUpstream)({ ...named, target, weight: rules.weight }), rules)
    const probe = this.#of.makeProbe(member)
    if (probe !== null) this.#probes.set(member, probe)
    health.add(member, { fresh })
    if (this.#started) probe?.start()
    return member
  }

  /** New places first, so that there is always one to go to. */
  #follow(watched: Watched, { target, rules, found }: { target: UpstreamTarget; rules: ServerRules; found: readonly Found[] }): void {
    const first = watched.members.has("") || watched.members.size === 0
    const members = new Map<string, Member>()
    for (const place of found) {
      const port = place.port ?? target.port
      const key = place.hostname.includes(":") ? `[${place.hostname}]:${port}` : `${place.hostname}:${port}`
      const own = { weight: place.weight ?? rules.weight, backup: place.backup || rules.backup, most: rules.most }
      const at = { ...target, id: `${target.id} (${key})`, hostname: place.hostname, port }
      const serverName = target.secure && place.port === undefined ? target.hostname : place.hostname
      members.set(key, watched.members.get(key) ?? this.#join(at, { rules: own, fresh: !first, ...(target.secure && { serverName }) }))
    }
    const gone = [...watched.members].filter(([key]) => !members.has(key))
    watched.members = members
    for (const [, member] of gone) this.remove(member)
    if (gone.length > 0 && !first) this.#of.log.info("upstreams of a name changed", { name: target.hostname, now: [...members.keys()] })
  }
}
