/** A certificate of its own authority and its key, as PEM texts. Needs openssl (test/needs.json). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export function makeCertificate(name: string): { readonly cert: string; readonly key: string } {
  const dir = mkdtempSync(join(tmpdir(), "edge-cert-"))
  const [cert, key] = [join(dir, "c.pem"), join(dir, "k.pem")]
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`]
  try {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", "req", "-x509", ...kind, ...subject, "-keyout", key, "-out", cert])
    if (exitCode !== 0) throw new Error(`openssl made no certificate: ${stderr.toString()}`)
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") }
  } finally {
    rmSync(dir, { recursive: true })
  }
}
