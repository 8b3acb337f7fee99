/** `tls = "auto"` and `"internal"`: which certificates edge is to keep itself, and by which authority. */
import { type AcmeSettings, type CertificatePlan, CHALLENGE_TYPES, type Context, DEFAULT_DIRECTORY, type DnsProvider, KEY_ALGORITHMS, type Wanted } from "edge"
import * as v from "valibot"
import type { Path } from "../sites/site.ts"

const url = v.pipe(v.string(), v.url("must be a URL"))

const authority = v.union(
  [
    url,
    v.strictObject({
      url: v.pipe(url, v.description("Of the ACME directory.")),
      eab: v.pipe(
        v.optional(
          v.strictObject({
            kid: v.pipe(v.string(), v.description("Id of the key.")),
            hmac_key: v.pipe(v.string(), v.regex(/^[\w-]+=*$/, "must be base64url"), v.description("The key, base64url.")),
          }),
        ),
        v.description("What the authority gave its customer to bind the account with (RFC 8555, 7.3.4)."),
      ),
    }),
  ],
  "must be a URL or { url, eab }",
)

export const acmeSchema = v.strictObject({
  email: v.pipe(v.optional(v.pipe(v.string(), v.email("must be an address"))), v.description("Where the authority writes about certificates.")),
  directory: v.pipe(
    v.optional(v.union([authority, v.pipe(v.array(authority), v.minLength(1, "must not be empty"))]), DEFAULT_DIRECTORY),
    v.description("The authority: URL of its ACME directory, or { url, eab }. Of several the next is asked when one fails."),
  ),
  ca: v.pipe(v.optional(v.string()), v.description("File of an extra root to trust the directory by, PEM.")),
  profile: v.pipe(v.optional(v.string()), v.description('Kind of certificate, as the authority names it: "classic", "tlsserver", "shortlived" (six days).')),
  key: v.pipe(v.optional(v.picklist(KEY_ALGORITHMS), "p256"), v.description("Keys of certificates.")),
  challenges: v.pipe(
    v.optional(v.pipe(v.array(v.picklist(CHALLENGE_TYPES)), v.minLength(1, "must not be empty"))),
    v.description('How names are proved, in the order in which it is tried. Default: "http-01" (a file on port 80), "tls-alpn-01" (a handshake on port 443), and with `dns` "dns-01".'),
  ),
  dns: v.pipe(v.optional(v.pipe(v.any(), v.metadata({ part: "dns" }))), v.description("Who writes records into the zone, for wildcards and where no port is open: { exec = { command = [...] } }, or a provider.")),
  resolver: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^(?:\d+(?:\.\d+){3}|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i, 'must be an address such as "10.0.0.2" or "127.0.0.1:5353"'))),
    v.description("Name server that is asked whether a record is there yet; without it those of the zone."),
  ),
})

type Acme = v.InferOutput<typeof acmeSchema>

/** All that the sites want, while they are read. */
export class KeptCertificates {
  readonly #wanted = new Map<string, Wanted>()
  readonly #ctx: Context

  constructor(ctx: Context) {
    this.#ctx = ctx
  }

  /** Its own plugin, made once; undefined without. */
  async provider(acme: Acme | undefined): Promise<DnsProvider | undefined> {
    if (acme?.dns === undefined) return undefined
    return this.#ctx.make("dns", acme.dns, ["tls", "acme", "dns"])
  }

  /** The names of a site; one certificate each, so that a name that fails takes no other with it. Throws where there can be none. */
  add(hosts: readonly string[], { issuer, at, dns }: { issuer: "auto" | "internal"; at: Path; dns: boolean }): readonly string[] {
    if (hosts.length === 0) throw this.#ctx.fail(`tls = "${issuer}" needs names: the site has no hosts`, at)
    for (const host of hosts) {
      const why = issuer === "auto" ? notPublic(host, dns) : undefined
      if (why !== undefined) throw this.#ctx.fail(`no public authority signs for "${host}": ${why}; tls = "internal" does`, at)
      this.#wanted.set(host, { names: [host], issuer: issuer === "auto" ? "acme" : "internal" })
    }
    return hosts
  }

  /** Some site has `tls = "auto"`. */
  get asksAuthority(): boolean {
    return [...this.#wanted.values()].some(({ issuer }) => issuer === "acme")
  }

  plan(acme: Acme = v.parse(acmeSchema, {})): CertificatePlan | undefined {
    const wanting = acme.challenges?.find(type => (type === "dns-01" || type === "dns-account-01") && acme.dns === undefined)
    if (wanting !== undefined) throw this.#ctx.fail(`${wanting} needs somebody who writes the record: dns = { exec = { command = [...] } } or a provider`, ["tls", "acme", "challenges"])
    if (this.#wanted.size === 0) return undefined
    return { wanted: [...this.#wanted.values()], acme: this.#settings(acme) }
  }

  #settings({ email, directory, ca, profile, key, challenges, dns, resolver }: Acme): AcmeSettings {
    const all = Array.isArray(directory) ? directory : [directory]
    return {
      emails: email === undefined ? [] : [email],
      authorities: all.map(one => (typeof one === "string" ? { directory: one } : { directory: one.url, ...(one.eab !== undefined && { external: { kid: one.eab.kid, hmacKey: one.eab.hmac_key } }) })),
      algorithm: key,
      challenges: challenges ?? ["http-01", "tls-alpn-01", ...(dns === undefined ? [] : ["dns-01" as const])],
      ...(resolver !== undefined && { resolver }),
      ...(ca !== undefined && { ca: this.#ctx.resolve(ca) }),
      ...(profile !== undefined && { profile }),
    }
  }
}

/** Names that nobody outside can prove (RFC 6761, RFC 6762, RFC 8375), and what needs a proof that is not there yet. */
function notPublic(host: string, dns: boolean): string | undefined {
  if (host.startsWith("*.") && !dns) return "a wildcard is proved by DNS alone, so [tls] acme needs `dns` or the challenge dns-persist-01"
  if (/^[\d.]+$|:/.test(host)) return undefined
  if (!host.includes(".")) return "it is no name of the public DNS"
  const last = host.slice(host.lastIndexOf(".") + 1)
  return ["localhost", "local", "internal", "invalid", "onion", "alt"].includes(last) || host.endsWith(".home.arpa") ? `.${last} is no part of the public DNS` : undefined
}
