import { isIP } from "../../system/ip.ts"

interface Range {
  readonly bytes: readonly number[]
  readonly bits: number
}

/** Who may say where a request came from: ranges as "10.0.0.0/8" or "::1", and "unix" for peers on unix sockets. */
export function trustedPeers(list: readonly string[]): (peer: string) => boolean {
  if (list.length === 0) return () => false
  const unix = list.includes("unix")
  const ranges = list.filter(entry => entry !== "unix").map(parseRange)
  return function isTrusted(peer) {
    if (peer === "unix") return unix
    const bytes = addressBytes(peer)
    return bytes !== null && ranges.some(range => contains(range, bytes))
  }
}

function parseRange(text: string): Range {
  const [address, width] = text.split("/") as [string, string?]
  const bytes = addressBytes(address)
  const bits = width === undefined ? (bytes?.length ?? 0) * 8 : Number(width)
  if (bytes === null || !Number.isInteger(bits) || bits < 0 || bits > bytes.length * 8) throw new Error(`"${text}" is not a range of addresses`)
  return { bytes, bits }
}

function contains(range: Range, bytes: readonly number[]): boolean {
  if (bytes.length !== range.bytes.length) return false
  for (let bit = 0; bit < range.bits; bit += 8) {
    const mask = range.bits - bit >= 8 ? 255 : (255 << (8 - (range.bits - bit))) & 255
    if ((bytes[bit >> 3]! & mask) !== (range.bytes[bit >> 3]! & mask)) return false
  }
  return true
}

/** 4 or 16 bytes; an IPv4 address mapped into IPv6 is the IPv4 one. Null for what is no address. */
export function addressBytes(text: string): number[] | null {
  const kind = isIP(text)
  if (kind === 4) return text.split(".").map(Number)
  if (kind !== 6 || text.includes("%")) return null
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)
  const plain = dotted === null ? text : `${dotted[1]}${words(dotted[2]!, dotted[3]!)}:${words(dotted[4]!, dotted[5]!)}`
  const [left, right] = plain.split("::") as [string, string?]
  const head = left === "" ? [] : left.split(":")
  const tail = right === undefined || right === "" ? [] : right.split(":")
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail]
  const bytes = groups.flatMap(group => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255])
  const mapped = bytes.slice(0, 10).every(byte => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  return mapped ? bytes.slice(12) : bytes
}

function words(high: string, low: string): string {
  return ((Number(high) << 8) | Number(low)).toString(16)
}
