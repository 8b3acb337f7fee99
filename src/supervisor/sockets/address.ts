import { isIPv4, isIPv6 } from "../../system/ip.ts"
import { isAbsolute, resolve } from "node:path"
import { C } from "../../system/libc.ts"

/** An address of the config in a form that the kernel takes. */
export type Address =
  | { readonly kind: "tcp"; readonly ip: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }

/** "127.0.0.1:80", "[::]:80", ":80", "localhost:80" or "unix:run/x.sock" (relative to `dir`); "http://" before it. */
export function parseAddress(text: string, dir: string): Address {
  const plain = text.startsWith("http://") ? text.slice(7) : text
  if (plain.startsWith("unix:")) {
    const path = plain.slice(5)
    if (path === "") throw new Error(`"${text}" names no path`)
    return { kind: "unix", path: isAbsolute(path) ? path : resolve(dir, path) }
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(plain)
  if (match === null) throw new Error(`"${text}" is not an address: expected host:port, [ipv6]:port or unix:path`)
  const port = Number(match[3])
  if (port > 65535) throw new Error(`"${text}": ports end at 65535`)
  const ip = match[1] ?? hostToIp(match[2]!)
  if (match[1] === undefined ? !isIPv4(ip) : !isIPv6(ip)) throw new Error(`"${text}": the host must be an IP address or localhost`)
  return { kind: "tcp", ip, port }
}

function hostToIp(host: string): string {
  if (host === "localhost") return "127.0.0.1"
  return host === "" || host === "*" ? "0.0.0.0" : host
}

/** The bytes of a sockaddr_in, sockaddr_in6 or sockaddr_un; macOS has a length byte before a family byte. */
export function toSockaddr(address: Address): Uint8Array {
  const bytes = address.kind === "unix" ? unixSockaddr(address.path) : isIPv4(address.ip) ? ipv4Sockaddr(address) : ipv6Sockaddr(address)
  if (process.platform === "darwin") {
    bytes[1] = bytes[0]!
    bytes[0] = bytes.length
  }
  return bytes
}

function unixSockaddr(path: string): Uint8Array {
  const name = Buffer.from(path)
  // One byte of sun_path is for the NUL; a longer name would be cut without an error.
  if (name.length >= C.SUN_PATH) throw new Error(`the path has ${name.length} bytes; the system allows ${C.SUN_PATH - 1}`)
  const bytes = new Uint8Array(2 + name.length + 1)
  bytes[0] = C.AF_UNIX
  bytes.set(name, 2)
  return bytes
}

function ipv4Sockaddr({ ip, port }: { ip: string; port: number }): Uint8Array {
  const bytes = new Uint8Array(16)
  bytes.set([C.AF_INET, 0, port >> 8, port & 255, ...ip.split(".").map(Number)])
  return bytes
}

function ipv6Sockaddr({ ip, port }: { ip: string; port: number }): Uint8Array {
  const bytes = new Uint8Array(28)
  bytes.set([C.AF_INET6, 0, port >> 8, port & 255])
  const view = new DataView(bytes.buffer)
  ipv6Groups(ip).forEach((group, i) => view.setUint16(8 + 2 * i, group))
  return bytes
}

/** Eight 16-bit groups; a dotted IPv4 tail stands for two of them (RFC 4291, 2.2). */
function ipv6Groups(ip: string): number[] {
  const plain = ip.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    `${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`,
  )
  const [head = "", tail] = plain.split("::")
  const left = toGroups(head)
  if (tail === undefined) return left
  const right = toGroups(tail)
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}

function toGroups(text: string): number[] {
  return text === "" ? [] : text.split(":").map(group => parseInt(group, 16))
}

/** What a descriptor is bound to; undefined when it is neither TCP nor a named unix socket. */
export function fromSockaddr(bytes: Uint8Array): Address | undefined {
  const family = process.platform === "darwin" ? bytes[1] : bytes[0]
  const port = (bytes[2]! << 8) | bytes[3]!
  if (family === C.AF_INET) return { kind: "tcp", ip: bytes.subarray(4, 8).join("."), port }
  if (family === C.AF_INET6) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + 8, 16)
    const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i).toString(16))
    // The URL parser knows the canonical short form (RFC 5952).
    return { kind: "tcp", ip: new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1), port }
  }
  if (family !== C.AF_UNIX) return undefined
  const path = new TextDecoder().decode(bytes.subarray(2)).replace(/\0.*$/s, "")
  return path === "" ? undefined : { kind: "unix", path }
}

/** One spelling for one address. */
export function toText(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`
  return isIPv4(address.ip) ? `${address.ip}:${address.port}` : `[${address.ip}]:${address.port}`
}
