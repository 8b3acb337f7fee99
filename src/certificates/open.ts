/** The certificates of a config, for the keeper's process and for commands: where they are kept and who signs them. */
import { readFileSync } from "node:fs"
import type { Config } from "../config/config.ts"
import { type Generation, setUp } from "../generation/generation.ts"
import type { Logger } from "../log/logger.ts"
import { keepPrivateFiles, readPrivateFiles } from "../processes/private-files.ts"
import { become, findIdentity, isRoot } from "../system/identity.ts"
import { edgeVersion } from "../version.ts"
import { AcmeAuthority } from "./acme-authority.ts"
import type { DnsProvider } from "../contract/dns.ts"
import { Keeper, type KeeperOptions } from "./keeper.ts"
import { LocalAuthority } from "./local-authority.ts"
import type { Wanted, AcmeSettings } from "../contract/certificates.ts"
import { alpnProof, dnsProof, httpProof, persistentProof, type Proof } from "./proof.ts"
import { Sealer } from "./sealer.ts"
import { Vault } from "./vault.ts"

export interface OpenCertificates {
  readonly wanted: readonly Wanted[]
  readonly vault: Vault
  readonly keeper: Keeper
  readonly acme: readonly AcmeAuthority[]
  readonly local: LocalAuthority
  close(): Promise<void>
}

const STOP_MS = 5000

/** As the fronts' user: the store is theirs, and a provider may be a third party's. */
export async function openCertificates(config: Config, { log, told }: { log: Logger; told?: KeeperOptions["told"] }): Promise<OpenCertificates> {
  const { server } = config.readKernel().kernel
  if (server.user !== undefined && isRoot()) {
    keepPrivateFiles(readPrivateFiles(config))
    become(findIdentity(server.user, server.group))
  }
  const generation = await setUp(config, { log, dev: false })
  await generation.startOnly(["store", "dns"])
  const vault = new Vault(generation.state, new Sealer(process.env["EDGE_TLS_SECRET"]))
  const acme = acmeAuthorities(generation, { vault, log })
  const local = new LocalAuthority(vault)
  const tell = told ?? (({ level, message, names }) => log[level](message, { names: names.join() }))
  const keeper = new Keeper({ vault, authorities: { acme, internal: [local] }, told: tell })
  const close = (): Promise<void> => generation.stop(AbortSignal.timeout(STOP_MS))
  return { wanted: generation.certificates?.wanted ?? [], vault, keeper, acme, local, close }
}

interface Tools {
  readonly vault: Vault
  readonly log: Logger
}

function acmeAuthorities({ certificates, dns }: Generation, tools: Tools): AcmeAuthority[] {
  if (certificates === undefined) return []
  const { emails, authorities, ca, profile, algorithm, ...how } = certificates.acme
  const proofs = proofsOf(how, { ...tools, dns })
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
        tools.vault,
      ),
  )
}

function proofsOf({ challenges, resolver }: Pick<AcmeSettings, "challenges" | "resolver">, { vault, log, dns }: Tools & { dns: DnsProvider | undefined }): Proof[] {
  const where = resolver === undefined ? {} : { resolver }
  return challenges.map(type => {
    if (type === "http-01") return httpProof(vault)
    if (type === "tls-alpn-01") return alpnProof(vault)
    if (type === "dns-persist-01") return persistentProof({ told: ({ name, value }) => log.info(`the authority looks for this record: ${name} TXT ${JSON.stringify(value)}`) })
    return dnsProof(dns!, { type, ...where })
  })
}
