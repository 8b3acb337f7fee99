/** Sites -> addresses: which sites each address has, by host, and whether it speaks TLS. */
import type { Binding, Context, Exchange, Handler, TlsOptions } from "edge"
import { encodePath, forAll, HeaderList, readTlsPair, Reply } from "edge"
import { type Listen, parseListen, toUrl } from "./listen-address.ts"
import { ErrorPages } from "../sites/error-pages.ts"
import type { KeptCertificates } from "./certificates.ts"
import { toNames } from "../sites/canonical.ts"
import { HostTable } from "../sites/hosts.ts"
import { listOf } from "../routing/matchers.ts"
import type { SiteConfig, WebConfig } from "../schema.ts"
import { guard, makeSite, type Path } from "../sites/site.ts"
import type { SiteLogs } from "../sites/access-log.ts"

type Certificate = TlsOptions["certificates"][number]

/** One address while it is put together. */
interface Open {
  readonly listen: Listen
  /** Balancers say by the PROXY protocol who the client is. */
  readonly proxied: boolean
  /** The `listen` that named it first. */
  readonly at: Path
  readonly hosts: HostTable<Handler>
  /** Host -> where it was named, for "twice". */
  readonly named: Map<string, Path>
  readonly certificates: Certificate[]
  /** Names whose certificates edge keeps itself. */
  readonly kept: string[]
  readonly urls: Set<string>
}

export async function makeBindings(config: WebConfig, { ctx, logs, kept }: { ctx: Context; logs: SiteLogs; kept: KeptCertificates }): Promise<Binding[]> {
  if (config.site.length === 0) throw ctx.fail("there is no site; add [[site]] with at least one [[site.route]]")
  const addresses = new Map<string, Open>()
  const acme = config.tls?.acme
  const dns = acme?.dns !== undefined || acme?.challenges?.includes("dns-persist-01") === true
  await forAll(config.site.entries(), ([i, site]) => addSite(site, { ctx, logs, kept, dns, at: ["site", i], addresses }))
  const misdirected = new ErrorPages(new Map(), { intercept: false, ctx })
  return [...addresses.values()].map(({ listen, proxied, hosts, certificates, kept: names, urls }) => ({
    address: listen.address,
    handler: byHost(hosts, misdirected),
    ...(listen.secure ? { tls: { certificates, ...(names.length > 0 && { kept: names }) } } : {}),
    ...(proxied && { proxyProtocol: true }),
    urls: [...urls],
  }))
}

/** RFC 9110 15.5.20: 421 where no site has the name. */
function byHost(hosts: HostTable<Handler>, errors: ErrorPages): Handler {
  return x => {
    const site = hosts.get(x.host)
    return site === undefined ? errors.page(x, 421) : site(x)
  }
}

interface Adding {
  readonly ctx: Context
  readonly logs: SiteLogs
  readonly kept: KeptCertificates
  /** Names can be proved by DNS. */
  readonly dns: boolean
  readonly at: Path
  readonly addresses: Map<string, Open>
}

async function addSite(written: SiteConfig, { ctx, logs, kept, dns, at, addresses }: Adding): Promise<void> {
  const names = guard(ctx, [...at, "canonical"], () => toNames(written))
  const site = { ...written, hosts: [...names.hosts] }
  const certificate = await readCertificate(site, { ctx, kept, dns, at })
  const listens = listOf(site.listen).map((text, i) => {
    const place = typeof site.listen === "string" ? [...at, "listen"] : [...at, "listen", i]
    return { place, listen: guard(ctx, place, () => parseListen(text, certificate !== undefined)) }
  })
  const secure = listens.find(({ listen }) => listen.secure)
  if (certificate !== undefined && secure === undefined) {
    throw ctx.fail("the site has TLS, but no address for it: each is on port 80 or written http://", [...at, "listen"])
  }
  const handler = logs.around(site.log, await makeSite(written, { ctx, at }))
  for (const { listen, place } of listens) {
    const open = openAddress(listen, { ctx, logs, kept, dns, at: place, addresses, proxied: site.proxy_protocol })
    const redirects = secure !== undefined && !listen.secure && site.https_redirect
    addHosts(site, { ctx, at, open, listed: written.hosts.length, handler: redirects ? toHttps(secure.listen.port) : handler })
    for (const host of written.hosts.length === 0 ? [undefined] : written.hosts) open.urls.add(toUrl(listen, host))
    if (!listen.secure || certificate === undefined) continue
    if (!("cert" in certificate)) {
      open.kept.push(...certificate.kept)
      continue
    }
    // The first certificate is for clients that name no host or an unknown one: that of the site for any host.
    if (site.hosts.length === 0) open.certificates.unshift(certificate)
    else open.certificates.push(certificate)
  }
}

function openAddress(listen: Listen, { ctx, at, addresses, proxied }: Adding & { proxied: boolean }): Open {
  const known = addresses.get(listen.address)
  if (known === undefined) {
    const open = { listen, at, proxied, hosts: new HostTable<Handler>(), named: new Map(), certificates: [], kept: [], urls: new Set<string>() }
    addresses.set(listen.address, open)
    return open
  }
  if (known.listen.secure !== listen.secure) {
    const [now, before] = listen.secure ? ["with TLS", "plain"] : ["plain", "with TLS"]
    throw ctx.fail(`${listen.address} is ${now} here and ${before} at ${ctx.place(known.at)}; an address is one or the other`, at)
  }
  if (known.proxied !== proxied) throw ctx.fail(`${listen.address} has proxy_protocol = ${known.proxied} at ${ctx.place(known.at)}; it is one for an address`, at)
  return known
}

function addHosts(site: SiteConfig, { ctx, at, open, listed, handler }: { ctx: Context; at: Path; open: Open; listed: number; handler: Handler }): void {
  const hosts: readonly [string, Path][] =
    site.hosts.length === 0 ? [["", at]] : site.hosts.map((host, i) => [host, i < listed ? [...at, "hosts", i] : [...at, "canonical"]])
  for (const [host, place] of hosts) {
    const key = host.toLowerCase()
    if (guard(ctx, place, () => open.hosts.set(host, handler))) {
      open.named.set(key, place)
      continue
    }
    const what = host === "" || host === "*" ? "another site for any host" : `the host "${host}"`
    const first = open.named.get(key) ?? open.named.get("") ?? open.at
    throw ctx.fail(`${what} is on ${open.listen.address} already, at ${ctx.place(first)}`, place)
  }
}

/** Undefined when the site has no TLS; names when edge keeps its certificates itself. */
async function readCertificate(site: SiteConfig, { ctx, kept, dns, at }: Pick<Adding, "ctx" | "kept" | "dns" | "at">): Promise<Certificate | { kept: readonly string[] } | undefined> {
  const { tls } = site
  if (tls === "off") return undefined
  if (typeof tls === "string") return { kept: kept.add(site.hosts.map(host => host.toLowerCase()), { issuer: tls, at: [...at, "tls"], dns }) }
  const files = { cert: ctx.resolve(tls.cert), key: ctx.resolve(tls.key) }
  const pair = await readTlsPair(files, (part, why) => ctx.fail(why, [...at, "tls", part]))
  return { ...pair, files, hosts: site.hosts.map(host => host.toLowerCase()) }
}

/** 308, so that the method stays; the path from its normal form, for "//evil.example" is a host to a browser. */
function toHttps(port: number): Handler {
  const suffix = port === 443 || port === 0 ? "" : `:${port}`
  return (x: Exchange) => {
    const location = `https://${x.host}${suffix}${encodePath(x.path)}${x.query === "" ? "" : `?${x.query}`}`
    return new Reply(308, new HeaderList(["Location", location]))
  }
}
