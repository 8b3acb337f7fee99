/** What limits count by: one string of an exchange. */
import * as v from "valibot"
import { cookieOf } from "../message/cookie.ts"
import type { Exchange } from "../message/exchange.ts"
import { addressBytes } from "../server/trust.ts"

export type ClientKey = (x: Exchange) => string

/** A longer value (a cookie may have 16 kB) is known by its digest, so that tables of keys are bounded in bytes too. */
const MOST_LENGTH = 128
/** IPv6 addresses whose network is known: reading one costs a microsecond, and clients come again. */
const MOST_NETWORKS = 4096

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
  const networks = new Networks(ipv6Prefix)
  const ip = (x: Exchange): string => networks.of(x.ip)
  const parts = names.map(one => partOf(one, ip))
  const [first, ...others] = parts
  if (others.length === 0) return first!
  return x => parts.map(part => part(x)).map(value => `${value.length}:${value}`).join("")
}

function partOf(text: string, ip: ClientKey): ClientKey {
  const [kind, argument = ""] = text.split(":") as [string, string?]
  // Absent is not a way round the limit: such requests count by address, told from values by a character that none has.
  const orIp = (value: string | null | undefined, x: Exchange): string => (value === null || value === undefined || value === "" ? `\0${ip(x)}` : short(value))
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
      return x => short(x.path)
    case "site":
    case "route":
      return () => ""
    default:
      return ip
  }
}

function short(value: string): string {
  return value.length <= MOST_LENGTH ? value : new Bun.CryptoHasher("sha256").update(value).digest("base64")
}

/** An IPv6 client has a whole network to itself and can send each request from another address. */
class Networks {
  readonly #bits: number
  #known = new Map<string, string>()

  constructor(bits: number) {
    this.#bits = bits
  }

  of(ip: string): string {
    if (!ip.includes(":")) return ip
    let network = this.#known.get(ip)
    if (network !== undefined) return network
    network = networkOf(ip, this.#bits)
    if (this.#known.size >= MOST_NETWORKS) this.#known = new Map()
    this.#known.set(ip, network)
    return network
  }
}

/** The first `bits` of an IPv6 address; an IPv4 one, also a mapped one, as it is. */
export function networkOf(ip: string, bits: number): string {
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
