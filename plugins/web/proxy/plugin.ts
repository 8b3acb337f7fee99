import { readFileSync } from "node:fs"
import { definePlugin, HttpUpstream, parseTarget, type Balancer, type Context, type HttpUpstreamOptions, type UpstreamTls } from "edge"
import { forward } from "./forward.ts"
import { Health } from "./health.ts"
import { receiving } from "./held-body.ts"
import { toMember, type Member } from "./member.ts"
import { picks } from "./pick.ts"
import { Probe } from "./probe.ts"
import { defaults, proxySchema, type ProxyOptions } from "./schema.ts"

/** Sends requests on to other servers. */
export default definePlugin({
  name: "proxy",
  kind: "handler",
  config: proxySchema,
  setup: async (config, ctx) => {
    const options = typeof config === "string" ? defaults(config) : config
    const log = ctx.log.with({ at: ctx.at })
    const shared: Omit<HttpUpstreamOptions, "target"> = {
      limits: {
        connectMs: options.connect_timeout,
        headMs: options.timeout || Infinity,
        readMs: options.read_timeout || Infinity,
        holdBytes: options.buffer,
      },
      head: { host: options.host, set: Object.entries(options.headers.set), remove: options.headers.remove },
      tls: readTls(options, ctx),
      keepIdle: options.keepalive,
      keepIdleMs: options.keepalive_timeout,
      onBrokenAnswer: error => log.warn("upstream broke its answer off", { upstream: error.upstream, fault: error.fault, reason: error.message }),
    }
    const members = makeMembers(options, { shared, ctx })
    const { health: rules } = options
    const health = new Health(members, { rules: { maxFails: rules.max_fails, failMs: rules.fail_timeout }, log })
    const balancer = await makeBalancer(options.balance, ctx)
    const probes = rules.path === undefined ? [] : makeProbes(members, { options, shared, health, path: rules.path })
    return {
      part: receiving(options.buffer_request, forward(health, { balancer, rules: { retries: options.retries }, log })),
      start: () => {
        for (const probe of probes) probe.start()
      },
      stop: () => {
        for (const probe of probes) probe.stop()
        for (const member of members) member.upstream.close()
      },
    }
  },
})

interface Shared {
  readonly shared: Omit<HttpUpstreamOptions, "target">
}

function makeMembers(options: ProxyOptions, { shared, ctx }: Shared & { ctx: Context }): Member[] {
  const list = typeof options.to === "string" ? [options.to] : options.to
  if (list.length === 0) throw ctx.fail("names no upstream", ["to"])
  return list.map((entry, i) => {
    const server = typeof entry === "string" ? { url: entry, weight: 1, backup: false } : entry
    const at = typeof options.to === "string" ? ["to"] : typeof entry === "string" ? ["to", i] : ["to", i, "url"]
    const target = guard(() => parseTarget(server.url, path => ctx.resolve(path)), why => ctx.fail(why, at))
    const upstream = guard(() => new HttpUpstream({ ...shared, target, weight: server.weight }), why => ctx.fail(why, ["headers"]))
    return toMember(upstream, server)
  })
}

async function makeBalancer(balance: string | Record<string, unknown>, ctx: Context): Promise<Balancer> {
  const builtIn = typeof balance === "string" ? picks[balance] : undefined
  if (builtIn !== undefined) return { pick: builtIn() }
  const name = typeof balance === "string" ? balance : (Object.keys(balance)[0] ?? "")
  const known = [...Object.keys(picks), ...ctx.names("balancer")]
  if (!known.includes(name)) throw ctx.fail(`no balancer named "${name}"; there are ${known.join(", ")}`, ["balance"])
  return ctx.make("balancer", balance)
}

function makeProbes(members: readonly Member[], of: Shared & { options: ProxyOptions; health: Health; path: string }): Probe[] {
  const { every, timeout, host, status, fall, rise } = of.options.health
  const rules = { path: of.path, everyMs: every, host: host ?? "", status: status ?? [], fall, rise }
  return members.map(member => {
    // A fresh connection each time: that one of the pool still stands says little.
    const asking = new HttpUpstream({
      ...of.shared,
      target: member.upstream.target,
      limits: { connectMs: timeout, headMs: timeout, readMs: timeout },
      keepIdle: 0,
    })
    return new Probe(member, { asking, rules, health: of.health })
  })
}

function readTls({ tls }: ProxyOptions, ctx: Context): UpstreamTls {
  const read = (key: "ca" | "cert" | "key"): { [key in "ca" | "cert" | "key"]?: string } => {
    const file = tls[key]
    if (file === undefined) return {}
    return { [key]: guard(() => readFileSync(ctx.resolve(file), "utf8"), why => ctx.fail(`cannot be read: ${why}`, ["tls", key])) }
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) throw ctx.fail('"cert" and "key" go together', ["tls"])
  return {
    ...read("ca"),
    ...read("cert"),
    ...read("key"),
    verify: tls.verify,
    ...(tls.server_name === undefined ? {} : { serverName: tls.server_name }),
  }
}

function guard<T>(make: () => T, fail: (why: string) => Error): T {
  try {
    return make()
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error))
  }
}
