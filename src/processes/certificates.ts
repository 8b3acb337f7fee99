/** `edge __certificates`: gets and renews what is due, as the fronts' user, and ends; the supervisor starts it when something is due again. */
import { readFileSync } from "node:fs"
import { AcmeAuthority } from "../certificates/acme-authority.ts"
import { Keeper } from "../certificates/keeper.ts"
import { LocalAuthority } from "../certificates/local-authority.ts"
import { alpnProof, httpProof, type Proof } from "../certificates/proof.ts"
import type { AcmeSettings, CertificatePlan } from "../certificates/plan.ts"
import { Sealer } from "../certificates/sealer.ts"
import { Vault } from "../certificates/vault.ts"
import { Config, type ConfigJson } from "../config/config.ts"
import { openState } from "../generation/open-state.ts"
import { createLogger } from "../log/logger.ts"
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
  const state = await openState(config, log)
  try {
    const nextAt = await tend(start.plan, { vault: new Vault(state.store, new Sealer(process.env["EDGE_TLS_SECRET"])), log, signal: stopped.signal })
    const done: CertificatesDone = { nextAt }
    if (process.connected) await new Promise<void>(resolve => process.send!(done, undefined, undefined, () => resolve()))
    return 0
  } finally {
    await state.close()
  }
}

async function tend({ wanted, acme }: CertificatePlan, { vault, log, signal }: { vault: Vault; log: ReturnType<typeof createLogger>; signal: AbortSignal }): Promise<number> {
  const keeper = new Keeper({
    vault,
    authorities: { acme: acmeAuthorities(acme, vault), internal: [new LocalAuthority(vault)] },
    told: ({ level, message, names }) => log[level](message, { names: names.join() }),
  })
  for (;;) {
    const nextAt = await keeper.tend(wanted, { signal })
    const wait = nextAt - Date.now()
    if (wait > STAY_MS || signal.aborted) return nextAt
    await Bun.sleep(Math.max(wait, 100))
  }
}

function acmeAuthorities({ emails, authorities, ca, profile, algorithm, challenges }: AcmeSettings, vault: Vault): AcmeAuthority[] {
  const proofs: Record<AcmeSettings["challenges"][number], Proof> = { "http-01": httpProof(vault), "tls-alpn-01": alpnProof(vault) }
  return authorities.map(
    ({ directory, external }) =>
      new AcmeAuthority(
        {
          directory,
          emails,
          algorithm,
          userAgent: `edge/${edgeVersion}`,
          proofs: challenges.map(one => proofs[one]),
          ...(external !== undefined && { external }),
          ...(ca !== undefined && { ca: readFileSync(ca, "utf8") }),
          ...(profile !== undefined && { profile }),
        },
        vault,
      ),
  )
}
