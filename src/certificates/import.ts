/** Pairs in folders of certbot (live/NAME/fullchain.pem, privkey.pem), Caddy (NAME/NAME.crt, NAME.key) or anybody else. */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { toIdentifier } from "./acme/order.ts"

export interface Pair {
  readonly file: string
  readonly chain: string
  /** PKCS#8, PEM. */
  readonly key: string
  readonly notBefore: number
  readonly notAfter: number
  covers(name: string): boolean
}

const LARGEST = 256 * 1024

/** Every certificate that has its key in the same folder and is still good, whatever the files are called. */
export function findPairs(folder: string): readonly Pair[] {
  const folders = [folder, ...readdirSync(folder, { recursive: true, withFileTypes: true }).filter(one => one.isDirectory()).map(one => join(one.parentPath, one.name))]
  return folders.flatMap(pairsIn)
}

function pairsIn(folder: string): Pair[] {
  const texts = readdirSync(folder)
    .map(name => join(folder, name))
    // Links are followed: certbot's live/ has nothing else.
    .filter(file => statSync(file, { throwIfNoEntry: false })?.isFile() === true && statSync(file).size < LARGEST)
    .map(file => ({ file, text: readFileSync(file, "latin1") }))
  const keys = texts.flatMap(({ text }) => readKey(text))
  const chains = texts.flatMap(({ file, text }) => {
    const chain = /-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----/.exec(text)?.[0]
    return chain === undefined ? [] : [{ file, chain: `${chain}\n`, length: chain.split("BEGIN").length }]
  })
  // The whole chain before the leaf alone (certbot has both).
  return chains.toSorted((a, b) => b.length - a.length).flatMap(({ file, chain }) => toPair(file, { chain, keys }))
}

function toPair(file: string, { chain, keys }: { chain: string; keys: readonly string[] }): Pair[] {
  try {
    const certificate = new X509Certificate(chain)
    const key = keys.find(one => certificate.checkPrivateKey(createPrivateKey(one)))
    const [notBefore, notAfter] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
    if (key === undefined || notAfter < Date.now()) return []
    return [{ file, chain, key, notBefore, notAfter, covers: name => covers(certificate, name) }]
  } catch {
    // Something else that looks like a certificate.
    return []
  }
}

function covers(certificate: X509Certificate, name: string): boolean {
  if (name.startsWith("*.")) return (certificate.subjectAltName ?? "").split(", ").includes(`DNS:${name}`)
  return (toIdentifier(name).type === "ip" ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined
}

function readKey(text: string): string[] {
  const pem = /-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----[\s\S]*?-----END \1-----/.exec(text)?.[0]
  if (pem === undefined) return []
  try {
    return [createPrivateKey(pem).export({ type: "pkcs8", format: "pem" }) as string]
  } catch {
    return []
  }
}
