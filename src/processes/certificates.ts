/** `edge __certificates`: gets and renews what is due, as the fronts' user, and ends; the supervisor starts it when something is due again. */
import { readFileSync } from "node:fs"
import { AcmeAuthority } from "../certificates/acme-authority.ts"
import { Keeper } from "../certificates/keeper.ts"
import { LocalAuthority } from "../certificates/local-authority.ts"
import { alpnProof, dnsProof, httpProof, persistentProof, type Proof } from "../certificates/proof.ts"
import type { AcmeSettings, CertificatePlan } from "../certificates/plan.ts"
import { Sealer } from "../certificates/sealer.ts"
import { Vault } from "../certificates/vault.ts"
import { Config, type ConfigJson } from "../config/config.ts"
import type { DnsProvider } from "../certificates/dns-provider.ts"
import { setUp } from "../generation/generation.ts"
import { createLogger, type Logger } from "../log/logger.ts"
import { become, findIdentity, isRoot } from "../supervisor/identity.ts"
import { edgeVersion } from "../version.ts"

/** What it is told first. */
export interface CertificatesStart {
  readonly config: ConfigJson
  readonly plan: CertificatePlan
}

/** What it says at its end. */
export interface CertificatesDone {
  /** When something is due next, in milliseconds since 1970. */
  readonly nextAt: number
}

const STOP_MS = 5000
/** What is due within it is waited for; a process of its own for it would cost more. */
const STAY_MS = 20_000

/** Resolves with the exit code. */
export async function run(): Promise<number> {
  const stopped = new AbortController()
  process.on("disconnect", () => stopped.abort(new Error("the supervisor is gone")))
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => stopped.abort(new Error("edge stops")))
  const start = await new Promise<CertificatesStart>(resolve => {
    process.once("message", resolve)
    process.send!("hello")
  })
  const config = Config.fromJSON(start.config)
  const { server, log: logging } = config.readKernel().kernel
  const log = createLogger(logging)
  if (server.user !== undefined && isRoot()) become(findIdentity(server.user, server.group))
  const generation = await setUp(config, { log, dev: false })
  await generation.startOnly(["store", "dns"])
  try {
    const vault = new Vault(generation.state, new Sealer(process.env["EDGE_TLS_SECRET"]))
    const nextAt = await tend(start.plan, { vault, log, dns: generation.dns, signal: stopped.signal })
    const done: CertificatesDone = { nextAt }
    if (process.connected) await new Promise<void>(resolve => process.send!(done, undefined, undefined, () => resolve()))
    return 0
  } finally {
    await generation.stop(AbortSignal.timeout(STOP_MS))
  }
}

interface Tools {
  readonly vault: Vault
  readonly log: Logger
  readonly dns: DnsProvider | undefined
}

async function tend({ wanted, acme }: CertificatePlan, { signal, ...tools }: Tools & { signal: AbortSignal }): Promise<number> {
  const { vault, log } = tools
  const keeper = new Keeper({
    vault,
    authorities: { acme: acmeAuthorities(acme, tools), internal: [new LocalAuthority(vault)] },
    told: ({ level, message, names }) => log[level](message, { names: names.join() }),
  })
  for (;;) {
    const nextAt = await keeper.tend(wanted, { signal })
    const wait = nextAt - Date.now()
    if (wait > STAY_MS || signal.aborted) return nextAt
    await Bun.sleep(Math.max(wait, 100))
  }
}

function acmeAuthorities({ emails, authorities, ca, profile, algorithm, ...how }: AcmeSettings, { vault, log, dns }: Tools): AcmeAuthority[] {
  const proofs = proofsOf(how, { vault, log, dns })
  return authorities.map(
    ({ directory, external }) =>
      new AcmeAuthority(
        {
          directory,
          emails,
          algorithm,
          userAgent: `edge/${edgeVersion}`,
          proofs,
          ...(external !== undefined && { external }),
          ...(ca !== undefined && { ca: readFileSync(ca, "utf8") }),
          ...(profile !== undefined && { profile }),
        },
        vault,
      ),
  )
}

function proofsOf({ challenges, resolver }: Pick<AcmeSettings, "challenges" | "resolver">, { vault, log, dns }: Tools): Proof[] {
  const where = resolver === undefined ? {} : { resolver }
  return challenges.map(type => {
    if (type === "http-01") return httpProof(vault)
    if (type === "tls-alpn-01") return alpnProof(vault)
    if (type === "dns-persist-01") return persistentProof({ told: ({ name, value }) => log.info(`the authority looks for this record: ${name} TXT ${JSON.stringify(value)}`) })
    return dnsProof(dns!, { type, ...where })
  })
}
