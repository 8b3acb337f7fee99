/** Waits until a record is where an authority will look: at every name server of its zone. */
import { Resolver } from "node:dns/promises"

/** Providers take a minute now and then; after this the authority may look, and says itself what it found. */
const PATIENCE_MS = 3 * 60_000
const LOOK_MS = 2000
const ANSWER_MS = 3000

export interface Propagation {
  /** Ask this one alone, "10.0.0.2" or "127.0.0.1:5353", for who has another view of the zone; else the zone's own servers. */
  readonly resolver?: string
  readonly patienceMs?: number
}

/** Resolves when all have it, and also when the patience is over. */
export async function propagated(name: string, value: string, { resolver, patienceMs = PATIENCE_MS, signal }: Propagation & { signal: AbortSignal }): Promise<void> {
  const end = Date.now() + patienceMs
  let servers: readonly string[] = []
  while (!signal.aborted && Date.now() < end) {
    if (servers.length === 0) servers = resolver === undefined ? await serversOf(name).catch(() => []) : [resolver]
    const seen = await Promise.all(servers.map(server => has(server, { name, value })))
    if (seen.length > 0 && seen.every(Boolean)) return
    await Bun.sleep(Math.min(LOOK_MS, Math.max(end - Date.now(), 0)))
  }
}

async function has(server: string, { name, value }: { name: string; value: string }): Promise<boolean> {
  const records = await ask(server).resolveTxt(name).catch(() => [])
  return records.some(parts => parts.join("") === value)
}

function ask(server: string): Resolver {
  const resolver = new Resolver({ timeout: ANSWER_MS, tries: 1 })
  resolver.setServers([server])
  return resolver
}

/** Addresses of the name servers of the closest zone above the name. A CNAME to another zone is followed (RFC 8555, 8.4). */
async function serversOf(name: string): Promise<string[]> {
  const system = new Resolver({ timeout: ANSWER_MS, tries: 2 })
  const [alias] = await system.resolveCname(name).catch(() => [])
  for (let zone = alias ?? name; zone.includes("."); zone = zone.slice(zone.indexOf(".") + 1)) {
    const hosts = await system.resolveNs(zone).catch(() => [])
    if (hosts.length === 0) continue
    const addresses = await Promise.all(hosts.map(host => system.resolve4(host).catch(() => system.resolve6(host).catch(() => []))))
    return addresses.flat()
  }
  return []
}
