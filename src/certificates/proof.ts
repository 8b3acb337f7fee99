/** Ways to show an authority that a name is ours. */
import { challengeCertificate } from "./requests.ts"
import { accountDnsName, alpnDigest, type Challenge, dnsName, dnsValue, keyAuthorization, persistentRecord } from "./acme/challenge.ts"
import type { Signer } from "./acme/transport.ts"
import type { DnsProvider } from "../contract/dns.ts"
import { type Propagation, propagated } from "./propagation.ts"
import type { Vault } from "./vault.ts"

export interface Asked {
  readonly challenge: Challenge
  /** Without `*.`. */
  readonly name: string
  readonly wildcard: boolean
  readonly signer: Required<Signer>
  readonly signal: AbortSignal
}

export interface Proof {
  /** `http-01`, `tls-alpn-01`, `dns-01`, `dns-account-01`, `dns-persist-01`. */
  readonly type: string
  /** Puts in place what the authority looks for; what it gives takes that away again. */
  show(asked: Asked): Promise<() => Promise<void>>
}

/** Every front of every machine that shares the store serves it: whichever the authority reaches. */
export function httpProof(vault: Vault): Proof {
  return {
    type: "http-01",
    show: async ({ challenge, signer }) => {
      const token = challenge.token ?? ""
      await vault.keepChallenge("http", token, keyAuthorization(challenge, signer.key))
      return () => vault.dropChallenge("http", token)
    },
  }
}

const HEARD_MS = 500

export function alpnProof(vault: Vault): Proof {
  return {
    type: "tls-alpn-01",
    show: async ({ challenge, name, signer }) => {
      const server = serverName(name)
      await vault.keepChallenge("alpn", server, await challengeCertificate(name, alpnDigest(challenge, signer.key)))
      // The fronts hear of it by the store, which SQLite looks at ten times a second.
      await Bun.sleep(HEARD_MS)
      return () => vault.dropChallenge("alpn", server)
    },
  }
}

/** The name that the authority sends by SNI: of an address its reverse form (RFC 8738, 6). */
export function serverName(name: string): string {
  if (/^[\d.]+$/.test(name)) return `${name.split(".").toReversed().join(".")}.in-addr.arpa`
  return name.includes(":") ? `${nibbles(name).toReversed().join(".")}.ip6.arpa` : name
}

function nibbles(address: string): string[] {
  const [head = "", tail] = address.split("::")
  const groups = (text: string | undefined): string[] => (text === undefined || text === "" ? [] : text.split(":"))
  const [before, after] = [groups(head), groups(tail)]
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => "0")
  return [...[...before, ...zeros, ...after].map(group => group.padStart(4, "0")).join("")]
}

/** `dns-account-01` has a name of its own for each account, so that several edges do not share a record. */
export function dnsProof(provider: DnsProvider, { type, ...propagation }: { type: "dns-01" | "dns-account-01" } & Propagation): Proof {
  return {
    type,
    show: async ({ challenge, name, signer, signal }) => {
      const record = type === "dns-01" ? dnsName(name) : accountDnsName(name, signer.kid)
      // Both have the same value: the form of a challenge's value is that of dns-01.
      const value = dnsValue(challenge, signer.key)
      await provider.add(record, value, signal)
      await propagated(record, value, { ...propagation, signal })
      // Taken away also when the order was given up.
      return () => provider.remove(record, value, AbortSignal.timeout(60_000))
    },
  }
}

/** A record that the operator has written once, and that stays: there is nothing to do but to say what it must be. */
export function persistentProof({ told }: { told: (record: { name: string; value: string }) => void }): Proof {
  return {
    type: "dns-persist-01",
    show: async ({ challenge, name, wildcard, signer }) => {
      const [issuer = ""] = challenge["issuer-domain-names"] ?? []
      told(persistentRecord(name, { issuer, kid: signer.kid, wildcard }))
      return async () => {}
    },
  }
}
