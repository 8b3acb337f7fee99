/** `edge tls ...`: the certificates that edge keeps itself. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { X509Certificate } from "node:crypto"
import { type OpenCertificates, openCertificates } from "../certificates/open.ts"
import { idOf, type Issued } from "../certificates/managed.ts"
import type { Wanted } from "../contract/certificates.ts"
import { dueOf } from "../certificates/schedule.ts"
import { didYouMean } from "../config/suggest.ts"
import { loadConfig } from "../config/load.ts"
import { EdgeError, errors } from "../errors.ts"
import { createLogger } from "../log/logger.ts"
import { age, table } from "./table.ts"

interface Options {
  readonly config: string
  readonly reason?: string
  readonly json?: boolean
}

const USAGE = "edge tls [list | renew NAME | revoke NAME [--reason keyCompromise] | export NAME FOLDER | import FOLDER]"

/** Reasons that an authority takes from a subscriber (RFC 5280, 5.3.1). */
const REASONS: Readonly<Record<string, number>> = { unspecified: 0, keyCompromise: 1, affiliationChanged: 3, superseded: 4, cessationOfOperation: 5 }

export async function run(options: Options, [what = "list", ...args]: readonly string[]): Promise<number> {
  const [first, second] = args
  const config = await loadConfig(options.config)
  const failures: string[] = []
  const told = ({ level, message, names }: { level: string; message: string; names: readonly string[] }): void => {
    if (level !== "info") failures.push(message)
    console.log(`${names.join()}: ${message}`)
  }
  const open = await openCertificates(config, { log: createLogger({ level: "warn", format: "text" }), told })
  try {
    if (what === "list" && first === undefined) return await list(open, options.json === true)
    if (what === "import" && first !== undefined && second === undefined) return await importAll(open, first)
    if (what === "renew" && first !== undefined && second === undefined) return (await renew(open, first), failures.length > 0 ? 1 : 0)
    if (what === "revoke" && first !== undefined && second === undefined) return await revoke(open, first, options.reason ?? "unspecified")
    if (what === "export" && first !== undefined && second !== undefined) return await exportTo(open, first, second)
    throw new EdgeError(errors.usage(USAGE))
  } finally {
    await open.close()
  }
}

async function list({ wanted, vault }: OpenCertificates, json: boolean): Promise<number> {
  const now = Date.now()
  const all = await Promise.all(
    wanted.map(async one => {
      const [issued, trouble] = await Promise.all([vault.issued(one), vault.trouble(one)])
      return { one, issued, trouble, due: dueOf(issued, { trouble, now }) }
    }),
  )
  if (json) {
    console.log(
      JSON.stringify(
        all.map(({ one, issued, trouble, due }) => ({
          names: one.names,
          authority: issued?.authority ?? null,
          notBefore: iso(issued?.notBefore),
          notAfter: iso(issued?.notAfter),
          next: iso(due.at),
          trouble: trouble?.why ?? null,
        })),
        null,
        2,
      ),
    )
    return 0
  }
  if (all.length === 0) {
    console.log('no site has tls = "auto" or "internal"')
    return 0
  }
  const rows = all.map(({ one, issued, due }) => [one.names.join(", "), issued === undefined ? "none yet" : host(issued.authority), issued === undefined ? "" : validity(issued, now), due.at <= now ? "now" : `in ${age(due.at - now)}`])
  console.log(table([["names", "by", "good", "next look"], ...rows]))
  for (const { one, trouble } of all) if (trouble !== undefined) console.log(`${one.names.join()}: ${trouble.why} (${trouble.failures} times; next try ${iso(trouble.againAt)})`)
  return 0
}

function validity({ notAfter }: Issued, now: number): string {
  return notAfter < now ? `ended ${age(now - notAfter)} ago` : `for ${age(notAfter - now)}`
}

function host(authority: string): string {
  return URL.canParse(authority) ? new URL(authority).host : authority
}

function iso(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}

function find({ wanted }: OpenCertificates, name: string): Wanted {
  const found = wanted.find(one => one.names.includes(name) || idOf(one) === name)
  if (found !== undefined) return found
  const names = wanted.flatMap(one => one.names)
  throw new EdgeError(errors.usage(`no site with tls = "auto" or "internal" has the name "${name}"${didYouMean(name, names, { list: "names" })}`))
}

/** Now, whatever was planned; what went wrong before does not hold it back. */
async function renew(open: OpenCertificates, name: string): Promise<void> {
  const wanted = find(open, name)
  // Nor does an order that somebody left: its key may be the one that is to go.
  await Promise.all([open.vault.keepTrouble(wanted, undefined), open.vault.keepOrder(wanted, undefined)])
  await open.keeper.obtain(wanted, { why: "asked for", signal: AbortSignal.timeout(10 * 60_000) })
}

async function revoke(open: OpenCertificates, name: string, reason: string): Promise<number> {
  const number = REASONS[reason]
  if (number === undefined) throw new EdgeError(errors.usage(`no reason "${reason}"${didYouMean(reason, Object.keys(REASONS), { list: "reasons" })}`))
  const wanted = find(open, name)
  const issued = await open.vault.issued(wanted)
  const authority = open.acme.find(({ id }) => id === issued?.authority)
  if (issued === undefined || authority === undefined) throw new EdgeError(errors.usage(`there is no certificate of ${name} that an authority of this config could revoke`))
  await authority.revoke(new X509Certificate(issued.chain).raw, number, AbortSignal.timeout(60_000))
  console.log(`${name}: revoked (${reason}); a new one, with a new key, is ordered`)
  await renew(open, name)
  return 0
}

async function exportTo(open: OpenCertificates, name: string, folder: string): Promise<number> {
  const issued = await open.vault.issued(find(open, name))
  if (issued === undefined) throw new EdgeError(errors.usage(`there is no certificate of ${name} yet`))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const base = issued.names[0]!.replace("*", "_")
  writeFileSync(join(folder, `${base}.pem`), issued.chain, { mode: 0o644 })
  writeFileSync(join(folder, `${base}.key`), issued.key, { mode: 0o600 })
  console.log(`wrote ${join(folder, `${base}.pem`)} and ${base}.key`)
  return 0
}

async function importAll({ wanted, vault }: OpenCertificates, folder: string): Promise<number> {
  const { findPairs } = await import("../certificates/import.ts")
  const pairs = findPairs(folder)
  let taken = 0
  for (const one of wanted) {
    const pair = pairs.filter(({ covers }) => one.names.every(covers)).toSorted((a, b) => b.notAfter - a.notAfter)[0]
    const known = await vault.issued(one)
    if (pair === undefined || (known !== undefined && known.notAfter >= pair.notAfter)) {
      console.log(`${one.names.join()}: ${pair === undefined ? `none in ${folder}` : "the one in use is as good"}`)
      continue
    }
    const { chain, key, notBefore, notAfter } = pair
    await vault.keep(one, { names: one.names, chain, key, authority: "imported", algorithm: "p256", notBefore, notAfter })
    console.log(`${one.names.join()}: taken from ${pair.file}, good until ${iso(notAfter)}`)
    taken++
  }
  return taken > 0 ? 0 : 1
}
