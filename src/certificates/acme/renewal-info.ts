/** When the authority would like a certificate to be renewed (ACME Renewal Information, RFC 9773). */
import { X509Certificate } from "node:crypto"
import { retryAfterMs } from "./retry-after.ts"
import type { Transport } from "./transport.ts"

export interface RenewalInfo {
  /** Milliseconds since 1970. */
  readonly start: number
  readonly end: number
  readonly explanation?: string
  /** When to ask again. */
  readonly askAgainMs: number
}

/** RFC 9773, 4.1: the key of the authority that signed, and the serial number; undefined when the certificate names no such key. */
export function certificateId(pem: string): string | undefined {
  const certificate = new X509Certificate(pem)
  const authority = authorityKey(certificate.raw)
  if (authority === undefined) return undefined
  const serial = Buffer.from(certificate.serialNumber.padStart(certificate.serialNumber.length + (certificate.serialNumber.length % 2), "0"), "hex")
  // As in DER: a leading zero where the first bit is set.
  const der = serial[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), serial]) : serial
  return `${authority.toString("base64url")}.${der.toString("base64url")}`
}

/** authorityKeyIdentifier (2.5.29.35): SEQUENCE { OID, [BOOLEAN], OCTET STRING { SEQUENCE { [0] keyIdentifier } } } (RFC 5280, 4.2.1.1). */
function authorityKey(der: Buffer): Buffer | undefined {
  const at = der.indexOf(Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x23]))
  if (at < 0) return undefined
  let i = at + 5
  if (der[i] === 0x01) i += 3
  // Lengths here are below 128, one byte each; anything else is no key that we know.
  if (der[i] !== 0x04 || der[i + 2] !== 0x30 || der[i + 4] !== 0x80) return undefined
  return der.subarray(i + 6, i + 6 + der[i + 5]!)
}

/** Undefined where the authority has none to give. */
export async function renewalInfo(transport: Transport, id: string, signal?: AbortSignal): Promise<RenewalInfo | undefined> {
  const { renewalInfo: base } = await transport.directory(signal)
  if (base === undefined) return undefined
  const { body, headers } = await transport.get<{ suggestedWindow?: { start?: string; end?: string }; explanationURL?: string }>(`${base}/${id}`, signal)
  const start = Date.parse(body.suggestedWindow?.start ?? "")
  const end = Date.parse(body.suggestedWindow?.end ?? "")
  // RFC 9773, 4.2: a window that ends before it begins is to be taken for none.
  if (!(end > start)) return undefined
  // 4.3: no sooner than a minute, no later than a day.
  const asked = retryAfterMs(headers.get("retry-after"), { now: transport.now }) ?? 6 * 3_600_000
  return { start, end, askAgainMs: Math.min(Math.max(asked, 60_000), 86_400_000), ...(body.explanationURL !== undefined && { explanation: body.explanationURL }) }
}

/**
 * The moment of renewal: a random one of the window, drawn once and kept (RFC 9773, 4.2), so that a restart does not draw
 * until it likes the answer. One that has passed is now.
 */
export function drawMoment({ start, end }: { start: number; end: number }, random: () => number = Math.random): number {
  return Math.round(start + (end - start) * random())
}
