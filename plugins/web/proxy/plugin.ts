import { definePlugin, Http2Upstream, HttpUpstream, parseTarget, readPem, readTlsPair, type Context, type HttpUpstreamOptions, type UpstreamTls } from "edge"
import { makeBalancer } from "./balancing/balancer.ts"
import { command } from "./commands.ts"
import { forward } from "./forward/forward.ts"
import { Health } from "./health/health.ts"
import { buffered } from "./forward/request-buffering.ts"
import type { Endpoint } from "./servers/endpoint.ts"
import { Probe } from "./health/probe.ts"
import { defaults, plainServer, proxySchema, type ProxyOptions } from "./schema.ts"
import { Servers } from "./servers/servers.ts"

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
        tunnelMs: options.tunnel_timeout || Infinity,
        holdBytes: options.buffer,
      },
      head: { host: options.host, set: Object.entries(options.headers.set), remove: options.headers.remove, forwarded: options.forwarded, via: options.via || "" },
      tls: await readTls(options, ctx),
      ...(options.proxy_protocol !== undefined && { proxyProtocol: options.proxy_protocol }),
      keepIdle: options.keepalive,
      keepIdleMs: options.keepalive_timeout,
      onBrokenAnswer: error => log.warn("upstream broke its answer off", { upstream: error.upstream, fault: error.fault, reason: error.message }),
    }
    checkHeaders(shared, ctx)
    const { health: rules } = options
    const health = new Health({ rules: { maxFails: rules.max_fails, failMs: rules.fail_timeout, slowMs: options.slow_start }, log })
    const { path } = rules
    const servers = new Servers({
      shared,
      health,
      ctx,
      log,
      resolver: options.resolver,
      http2: options.http2,
      makeProbe: endpoint => (path === undefined ? null : makeProbe(endpoint, { options, shared, health, path })),
    })
    addServers(servers, { options, ctx })
    const balancer = await makeBalancer(options.balance, ctx)
    const place = { name: options.name, at: ctx.at, servers, health }
    return {
      part: buffered(options.buffer_request, forward(health, { balancer, rules: { retries: options.retries, failStatus: rules.fail_status, fixLocation: options.redirects }, log })),
      start: () => servers.start(),
      stop: () => servers.stop(),
      command: asked => command(asked, place),
    }
  },
})

/** Once, so that a mistake in `headers` is told at its place and not at that of an upstream. */
function checkHeaders(shared: Omit<HttpUpstreamOptions, "target">, ctx: Context): void {
  try {
    void new HttpUpstream({ ...shared, target: parseTarget("http://localhost") })
  } catch (error) {
    throw ctx.fail((error as Error).message, ["headers"])
  }
}

function addServers(servers: Servers, { options, ctx }: { options: ProxyOptions; ctx: Context }): void {
  const list = typeof options.to === "string" ? [options.to] : options.to
  if (list.length === 0) throw ctx.fail("names no upstream", ["to"])
  for (const [i, entry] of list.entries()) {
    const server = typeof entry === "string" ? plainServer(entry) : entry
    if (server.srv && server.resolve === undefined) throw ctx.fail('"srv" needs "resolve"', ["to", i])
    const at = typeof options.to === "string" ? ["to"] : typeof entry === "string" ? ["to", i] : ["to", i, "url"]
    try {
      servers.add(server, { fresh: false })
    } catch (error) {
      throw ctx.fail((error as Error).message, at)
    }
  }
}

interface Probing {
  readonly shared: Omit<HttpUpstreamOptions, "target">
  readonly options: ProxyOptions
  readonly health: Health
  readonly path: string
}

function makeProbe(endpoint: Endpoint, { options, shared, health, path }: Probing): Probe {
  const { every, timeout, host, status, fall, rise } = options.health
  const rules = { path, everyMs: every, host: host ?? "", status: status ?? [], fall, rise }
  // A fresh connection each time: that one of the pool still stands says little.
  const limits = { connectMs: timeout, headMs: timeout, readMs: timeout }
  const asked = { ...shared, target: endpoint.upstream.target, limits, keepIdle: 0 }
  return new Probe(endpoint, { asking: options.http2 ? new Http2Upstream(asked) : new HttpUpstream(asked), rules, health })
}

async function readTls({ tls }: ProxyOptions, ctx: Context): Promise<UpstreamTls> {
  const { ca, cert, key } = tls
  if ((cert === undefined) !== (key === undefined)) throw ctx.fail('"cert" and "key" go together', ["tls"])
  const own =
    cert === undefined || key === undefined
      ? {}
      : await readTlsPair({ cert: ctx.resolve(cert), key: ctx.resolve(key) }, (part, why) => ctx.fail(`cannot be read: ${why}`, ["tls", part]))
  return {
    ...(ca !== undefined && { ca: guard(() => readPem(ctx.resolve(ca), "certificate"), why => ctx.fail(`cannot be read: ${why}`, ["tls", "ca"])) }),
    ...own,
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
