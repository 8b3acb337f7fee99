/** What limits count by: one string of an exchange. */
import * as v from "valibot"
import type { Exchange } from "./exchange.ts"
import { addressBytes } from "./trust.ts"

export type ClientKey = (x: Exchange) => string

const expects = 'one of "ip", "user", "site", "route", "host", "path", "header:NAME", "cookie:NAME"'
const name = v.pipe(v.string(), v.metadata({ expects }), v.regex(/^(?:ip|user|site|route|host|path|header:[\w-]+|cookie:[\w.-]+)$/, `expected ${expects}`))

/** One name, or a list of them whose values count together. */
export function clientKeySchema(): v.GenericSchema<string | string[], string | string[]> {
  return v.pipe(
    v.union([name, v.pipe(v.array(name), v.minLength(1, "expected at least one key"))], expects),
    v.description(`Who is counted: ${expects}, or a list of them. A request without the header, cookie or user counts by ip`),
  )
}

/** Joins the parts; each is preceded by its length, so that no value of one can pose as another. */
export function clientKey(of: string | readonly string[], { ipv6Prefix }: { ipv6Prefix: number }): ClientKey {
  const names = typeof of === "string" ? [of] : of
  const ip = (x: Exchange): string => networkOf(x.ip, ipv6Prefix)
  const parts = names.map(one => partOf(one, ip))
  const [first, ...others] = parts
  if (others.length === 0) return first!
  return x => parts.map(part => part(x)).map(value => `${value.length}:${value}`).join("")
}

function partOf(text: string, ip: ClientKey): ClientKey {
  const [kind, argument = ""] = text.split(":") as [string, string?]
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
    case "site":
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
