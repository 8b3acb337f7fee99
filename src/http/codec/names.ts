/** What the engine itself must know of a header name. */
export const enum Field {
  Other,
  Host,
  ContentLength,
  TransferEncoding,
  Connection,
  Expect,
  Upgrade,
  /** Says who the client is: believed from a trusted proxy only (X-Forwarded-*, Forwarded, X-Real-IP, X-Accel-*). */
  Trust,
  /** Never passed on: `Proxy` becomes HTTP_PROXY in CGI-like environments (httpoxy). */
  Forbidden,
  Cookie,
}

export interface KnownName {
  /** As most clients write it over HTTP/1.1. */
  readonly usual: string
  readonly lower: string
  readonly field: Field
  /** Bytes of `usual` and of `lower`. */
  readonly usualBytes: Uint8Array
  readonly lowerBytes: Uint8Array
}

const special: Record<string, Field> = {
  host: Field.Host,
  "content-length": Field.ContentLength,
  "transfer-encoding": Field.TransferEncoding,
  connection: Field.Connection,
  expect: Field.Expect,
  upgrade: Field.Upgrade,
  forwarded: Field.Trust,
  "x-forwarded-for": Field.Trust,
  "x-forwarded-proto": Field.Trust,
  "x-forwarded-host": Field.Trust,
  "x-forwarded-port": Field.Trust,
  "x-forwarded-prefix": Field.Trust,
  "x-real-ip": Field.Trust,
  proxy: Field.Forbidden,
  cookie: Field.Cookie,
}

const usual =
  "Host Content-Length Transfer-Encoding Connection Expect Upgrade Forwarded X-Forwarded-For X-Forwarded-Proto " +
  "X-Forwarded-Host X-Forwarded-Port X-Forwarded-Prefix X-Real-IP Proxy User-Agent Accept Accept-Encoding " +
  "Accept-Language Accept-Charset Cookie Referer Origin Content-Type Content-Encoding Authorization Cache-Control " +
  "Pragma If-None-Match If-Modified-Since If-Match If-Unmodified-Since If-Range Range TE Trailer Via DNT Priority " +
  "Upgrade-Insecure-Requests Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-GPC Sec-CH-UA " +
  "Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-WebSocket-Key Sec-WebSocket-Version Sec-WebSocket-Extensions " +
  "Sec-WebSocket-Protocol X-Requested-With X-Request-Id X-CSRF-Token Keep-Alive Proxy-Connection Save-Data " +
  "traceparent tracestate"

const slots = 1024
const table: KnownName[][] = Array.from({ length: slots }, () => [])
for (const name of usual.split(" ")) {
  const lower = name.toLowerCase()
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = mixName(hash, name.charCodeAt(i))
  table[hash & (slots - 1)]!.push({
    usual: name,
    lower,
    field: special[lower] ?? Field.Other,
    usualBytes: new Uint8Array(Buffer.from(name)),
    lowerBytes: new Uint8Array(Buffer.from(lower)),
  })
}

/** One step of the hash over the bytes of a name, the same for both cases of a letter. */
export function mixName(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + (byte | 32)) | 0
}

/** The known name that stands at bytes[from, to), whatever its case; `hash` is mixName over it. */
export function findName(bytes: Uint8Array, from: number, to: number, hash: number): KnownName | undefined {
  const bucket = table[hash & (slots - 1)]!
  for (let i = 0; i < bucket.length; i++) {
    const known = bucket[i]!
    if (known.lowerBytes.length === to - from && sameName(bytes, from, known.lowerBytes)) return known
  }
  return undefined
}

/** `| 32` also maps "^" to "~" and "@" to "`", but no known name holds one of the four. */
function sameName(bytes: Uint8Array, from: number, lower: Uint8Array): boolean {
  for (let i = 0; i < lower.length; i++) if ((bytes[from + i]! | 32) !== lower[i]) return false
  return true
}

/** The string for a known name as it is spelled at bytes[from, ...), when that is a usual spelling: costs no new string. */
export function usualSpelling(known: KnownName, bytes: Uint8Array, from: number): string | undefined {
  if (sameBytes(bytes, from, known.usualBytes)) return known.usual
  return sameBytes(bytes, from, known.lowerBytes) ? known.lower : undefined
}

function sameBytes(bytes: Uint8Array, from: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[from + i] !== expected[i]) return false
  return true
}
