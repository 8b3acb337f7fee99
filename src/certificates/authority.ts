/** Who signs a certificate: an authority that speaks ACME, edge's own (`internal`), or one that a test puts in. */
import type { Issued, Renewal } from "./managed.ts"
import type { Wanted } from "../contract/certificates.ts"

export interface IssueOptions {
  /** The one that it follows. */
  readonly last?: Issued
  /** How often it failed before: another way may be tried. */
  readonly failures: number
  readonly signal: AbortSignal
}

export interface Authority {
  /** What `Issued.authority` says. */
  readonly id: string
  /** A new certificate; Rejects with words for the operator. */
  issue(wanted: Wanted, options: IssueOptions): Promise<Issued>
  /** When it would like a certificate to be renewed; undefined when it has no wish. */
  renewal?(issued: Issued, signal: AbortSignal): Promise<Renewal | undefined>
}
