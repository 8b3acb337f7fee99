/** The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): who a balancer in front of us speaks for. */
import { isIP } from "../../system/ip.ts"

export interface ProxySource {
  readonly address: string
  readonly port: number
}

export interface ProxyHeader {
  /** Bytes; what follows is the connection proper. */
  readonly size: number
  /** Null: the balancer speaks for itself (a health check), or for somebody without an address. */
  readonly source: ProxySource | null
}

/** What came is no such header, and the connection must not be used. */
export class ProxyHeaderError extends Error {
  override readonly name = "ProxyHeaderError"
}

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1")
const line = Buffer.from("PROXY ", "latin1")
/** Longest line of version 1, its end included. */
const lineMax = 107
/** TLVs of version 2 may hold a client certificate; more is an attack on our memory. */
const bodyMax = 16 * 1024

/** Null when more is to come. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | null {
  if (startsLike(bytes, signature)) return bytes.length < 16 ? null : readBinary(bytes)
  if (startsLike(bytes, line)) return readLine(bytes)
  throw new ProxyHeaderError("no PROXY header")
}

/** As far as it came. */
function startsLike(bytes: Buffer, wanted: Buffer): boolean {
  const size = Math.min(bytes.length, wanted.length)
  return bytes.compare(wanted, 0, size, 0, size) === 0
}

const v1 = /^PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?|(TCP4|TCP6) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))\r\n$/

function readLine(bytes: Buffer): ProxyHeader | null {
  const text = bytes.latin1Slice(0, Math.min(bytes.length, lineMax))
  const end = text.indexOf("\r\n")
  if (end < 0) {
    if (bytes.length >= lineMax || text.includes("\n")) throw new ProxyHeaderError("a PROXY line without an end")
    return null
  }
  const match = v1.exec(text.slice(0, end + 2))
  if (match === null) throw new ProxyHeaderError("a malformed PROXY line")
  const [, family, source = "", destination = "", port = "", other = ""] = match
  if (family === undefined) return { size: end + 2, source: null }
  const kind = family === "TCP4" ? 4 : 6
  if (isIP(source) !== kind || isIP(destination) !== kind || Number(port) > 65_535 || Number(other) > 65_535) {
    throw new ProxyHeaderError("a PROXY line with a bad address")
  }
  return { size: end + 2, source: { address: unmapped(source.toLowerCase()), port: Number(port) } }
}

function readBinary(bytes: Buffer): ProxyHeader | null {
  const command = bytes[12]!
  const family = bytes[13]!
  const length = bytes.readUInt16BE(14)
  if (command >> 4 !== 2 || (command & 15) > 1) throw new ProxyHeaderError("an unknown version or command of the PROXY protocol")
  if (length > bodyMax) throw new ProxyHeaderError("a PROXY header that is too large")
  const size = 16 + length
  if (bytes.length < size) return null
  if ((command & 15) === 0) return { size, source: null }
  if (family === 0x11) {
    if (length < 12) throw new ProxyHeaderError("a PROXY header without its addresses")
    return { size, source: { address: bytes.subarray(16, 20).join("."), port: bytes.readUInt16BE(24) } }
  }
  if (family === 0x21) {
    if (length < 36) throw new ProxyHeaderError("a PROXY header without its addresses")
    return { size, source: { address: address6(bytes.subarray(16, 32)), port: bytes.readUInt16BE(48) } }
  }
  // Unix sockets, datagrams and what is unspecified have no address of use.
  return { size, source: null }
}

/** RFC 5952: lower case, the longest run of zeros as "::". */
function address6(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16)
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2).toString(16))
  if (groups.slice(0, 5).every(group => group === "0") && groups[5] === "ffff") return bytes.subarray(12).join(".")
  const runs = [...`:${groups.join(":")}:`.matchAll(/(?::0){2,}(?=:)/g)].toSorted((a, b) => b[0].length - a[0].length)
  const text = `:${groups.join(":")}:`
  const longest = runs[0]
  if (longest === undefined) return groups.join(":")
  const head = text.slice(1, longest.index)
  const tail = text.slice(longest.index + longest[0].length + 1, -1)
  return `${head}::${tail}`
}

/** IPv4 in IPv6 is the IPv4 address, as lists of trusted proxies have it. */
function unmapped(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
}

export type ProxyVersion = "v1" | "v2"

/** What tells an upstream who is asking; `to` is the address that was asked, of no meaning to most. */
export function writeProxyHeader(version: ProxyVersion, { from, to }: { from: ProxySource | null; to: ProxySource }): Buffer {
  const kind = from === null ? 0 : isIP(from.address)
  if (from === null || kind === 0 || from.address.includes("%")) {
    return version === "v1" ? Buffer.from("PROXY UNKNOWN\r\n") : Buffer.concat([signature, Buffer.from([0x20, 0, 0, 0])])
  }
  const destination = isIP(to.address) === kind ? to.address : kind === 4 ? "0.0.0.0" : "::"
  if (version === "v1") return Buffer.from(`PROXY TCP${kind} ${from.address} ${destination} ${from.port} ${to.port}\r\n`)
  const addresses = [from.address, destination].flatMap(text => (kind === 4 ? text.split(".").map(Number) : bytes6(text)))
  const head = Buffer.from([0x21, kind === 4 ? 0x11 : 0x21, 0, addresses.length + 4])
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(from.port, 0)
  ports.writeUInt16BE(to.port, 2)
  return Buffer.concat([signature, head, Buffer.from(addresses), ports])
}

function bytes6(text: string): number[] {
  const [left = "", right] = text.split("::") as [string, string?]
  const toBytes = (half: string): number[] =>
    half === "" ? [] : half.split(":").flatMap(group => (group.includes(".") ? group.split(".").map(Number) : [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]))
  const head = toBytes(left)
  const tail = right === undefined ? [] : toBytes(right)
  return [...head, ...Array.from({ length: 16 - head.length - tail.length }, () => 0), ...tail]
}
