/** A certificate and its key, read and tried together as a connection will, so that a bad pair is an error of the config. */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readPrivateFile } from "../../processes/private-files.ts"

/** PEM texts. */
export interface TlsPair {
  readonly cert: string
  readonly key: string
}

/** Peers refuse the handshake with less, whatever the certificate says. */
const LEAST_RSA_BITS = 1024

/** `files` are absolute. What is wrong is thrown as `fail` makes it of the part and the reason. */
export async function readTlsPair(files: TlsPair, fail: (part: "cert" | "key", why: string) => Error): Promise<TlsPair> {
  const of = <T>(part: "cert" | "key", read: (file: string) => T): T => {
    try {
      return read(files[part])
    } catch (error) {
      throw fail(part, (error as Error).message)
    }
  }
  const cert = of("cert", file => readPem(file, "certificate"))
  const key = of("key", file => readPem(file, "private key"))
  const own = of("cert", file => parse(file, () => new X509Certificate(cert)))
  of("key", file => checkKey(file, { key, own, cert: files.cert }))
  // The whole chain, by the code that speaks TLS: 30 ms for its first use, which only those with certificates pay.
  const { createSecureContext } = await import("node:tls")
  of("cert", file => parse(file, () => createSecureContext({ cert, key })))
  return { cert, key }
}

/** Throws when the file holds nothing of that kind. `file` is absolute. */
export function readPem(file: string, wanted: "certificate" | "private key"): string {
  const text = readPrivateFile(file).toString("latin1")
  const labels = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(match => match[1]!)
  if (labels.length === 0) throw new Error(`${file} is no PEM file`)
  const pattern = wanted === "certificate" ? /^(?:X509 |TRUSTED )?CERTIFICATE$/ : /PRIVATE KEY$/
  if (!labels.some(label => pattern.test(label))) throw new Error(`${file} has no ${wanted}, but: ${[...new Set(labels)].join(", ").toLowerCase()}`)
  if (wanted === "private key" && /-----BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(text)) {
    throw new Error(`${file} is encrypted, and nobody is there to give the passphrase; write it without one: openssl pkey -in ${file} -out plain.pem`)
  }
  return text
}

function checkKey(file: string, { key, own, cert }: { key: string; own: X509Certificate; cert: string }): void {
  const parsed = parse(file, () => createPrivateKey(key))
  if (!own.checkPrivateKey(parsed)) {
    throw new Error(`${file} does not belong to the first certificate in ${cert}; a chain begins with the holder's own certificate`)
  }
  const { modulusLength = LEAST_RSA_BITS } = parsed.asymmetricKeyDetails ?? {}
  if (modulusLength < LEAST_RSA_BITS) throw new Error(`${file} is an RSA key of ${modulusLength} bits; peers take ${LEAST_RSA_BITS} and more, and should get 2048`)
}

/** What the library says is a number, a room of its own and a reason: the last tells most. */
function parse<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const why = (error as Error).message.split(":").at(-1)!.toLowerCase().replaceAll("_", " ")
    throw new Error(`${file} cannot be used: ${why}`, { cause: error })
  }
}
