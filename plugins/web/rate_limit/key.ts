/** What a rule counts by: one string of an exchange. */
import { addressBytes, type Exchange } from "edge"

export type KeyOf = (x: Exchange) => string

/** Joins the parts; each is preceded by its length, so that no value of one can pose as another. */
export function keyOf(names: readonly string[], { ipv6Prefix }: { ipv6Prefix: number }): KeyOf {
  const ip = (x: Exchange): string => networkOf(x.ip, ipv6Prefix)
  const parts = names.map(name => partOf(name, ip))
  const [first, ...others] = parts
  if (others.length === 0) return first!
  return x => parts.map(part => part(x)).map(value => `${value.length}:${value}`).join("")
}

function partOf(name: string, ip: KeyOf): KeyOf {
  const [kind, argument = ""] = name.split(":") as [string, string?]
  // Absent is not a way round the limit: such requests count by address, told from values by a character that none has.
  const orIp = (value: string | null | undefined, x: Exchange): string => (value === null || value === undefined || value === "" ? `\0${ip(x)}` : value)
  switch (kind) {
    case "user":
      return x => orIp(x.vars?.get("user") as string | undefined, x)
    case "header":
      return x => orIp(x.headers.get(argument), x)
    case "cookie":
      return x => orIp(cookieOf(x, argument), x)
    case "host":
      return x => x.host
    case "path":
      return x => x.path
    case "route":
      return () => ""
    default:
      return ip
  }
}

/** An IPv6 client has a whole network to itself and can send each request from another address. */
function networkOf(ip: string, bits: number): string {
  if (!ip.includes(":")) return ip
  const bytes = addressBytes(ip)
  if (bytes === null) return ip
  if (bytes.length === 4) return bytes.join(".")
  const whole = bits >> 3
  const rest = bits & 7
  let key = "6"
  for (let i = 0; i < whole; i++) key += String.fromCharCode(bytes[i]!)
  return rest === 0 ? key : key + String.fromCharCode(bytes[whole]! & (0xff << (8 - rest)))
}

/** The first cookie of that name (RFC 6265 5.4 sends the most specific one first). */
function cookieOf(x: Exchange, name: string): string | null {
  const header = x.headers.get("cookie")
  if (header === null) return null
  for (const pair of header.split(/[;,]/)) {
    const at = pair.indexOf("=")
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return null
}
