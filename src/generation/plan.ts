/** What the supervisor needs to know of a checked config: plain data, made in a short-lived child that checked it. */
import type { CertificatePlan } from "../contract/certificates.ts"
import type { Config, ConfigJson } from "../config/config.ts"
import type { LogConfig, Server } from "../config/kernel.ts"
import type { Generation } from "./generation.ts"
import type { DeclaredPage } from "./front-pages.ts"
import type { AppSpec } from "../contract/gateway.ts"
import type { Launch } from "../contract/runtime.ts"

export interface Plan {
  readonly config: ConfigJson
  readonly addresses: readonly PlannedAddress[]
  readonly apps: readonly PlannedApp[]
  /** Pages that the fronts share. */
  readonly pages: readonly DeclaredPage[]
  readonly server: Server
  readonly log: LogConfig
  /** Files that fronts append to, beside the access log of `log`; absolute. */
  readonly logFiles: readonly string[]
  /** Certificates that a process of their own gets and renews. */
  readonly certificates?: CertificatePlan
  /** Some plugin has hooks: they need a process. */
  readonly hooks: boolean
}

export interface PlannedAddress {
  /** As in the config. */
  readonly address: string
  /** To be printed when it is listening. */
  readonly urls: readonly string[]
}

export interface PlannedApp {
  readonly spec: AppSpec
  /** Absent when the app has no processes of its own. */
  readonly launch?: Launch
  readonly gatewayName: string
  /** The gateway's supervising half is a third party's and runs in a child of the supervisor. */
  readonly external: boolean
}

export function makePlan(generation: Generation, config: Config): Plan {
  const { server, log } = config.kernel
  return {
    config: config.toJSON(),
    addresses: generation.bindings.map(({ address, urls = [] }) => ({ address, urls })),
    apps: generation.apps.map(({ spec, launch, external }) => ({
      spec,
      ...(launch !== undefined && { launch }),
      gatewayName: spec.gateway,
      external,
    })),
    pages: generation.pages,
    server,
    log,
    logFiles: generation.logFiles,
    ...(generation.certificates !== undefined && { certificates: generation.certificates }),
    hooks: generation.hooks,
  }
}
