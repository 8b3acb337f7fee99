/** Schemas of the values that many parts of a config share; also given to plugins. */
import { isIPv4, isIPv6 } from "../system/ip.ts"
import * as v from "valibot"
import { isAddress } from "./address.ts"

/** Where to listen: `"127.0.0.1:8080"`, `"[::]:80"`, `"unix:run/edge.sock"`. */
export function address(): v.GenericSchema<string, string> {
  return text(isAddress, 'an address such as "127.0.0.1:8080", "[::]:80" or "unix:run/edge.sock"')
}

/** Where a server is that is connected to: `"unix:/run/php/php-fpm.sock"`, `"127.0.0.1:9000"`, `"php:9000"`. */
export function serverAddress(): v.GenericSchema<string, string> {
  const good = /^unix:.|^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$/
  return text(value => good.test(value) && !value.includes("\0"), 'a server such as "unix:/run/php/php-fpm.sock" or "127.0.0.1:9000"')
}

/** A range of addresses: `"10.0.0.0/8"`, `"::1"`. */
export function cidr(): v.GenericSchema<string, string> {
  return text(isCidr, 'a range of addresses such as "10.0.0.0/8" or "::1"')
}

/** A path; not empty. Relative ones start at the folder of the config (Context.resolve). */
export function path(): v.GenericSchema<string, string> {
  return text(value => value !== "" && !value.includes("\0"), "a path")
}

/** A whole number, 1 and up unless said otherwise. */
export function count({ min = 1, max = Number.MAX_SAFE_INTEGER } = {}): v.GenericSchema<number, number> {
  return v.pipe(v.number(), v.metadata({ expects: "a whole number" }), v.integer(), v.minValue(min), v.maxValue(max))
}

function text(isGood: (value: string) => boolean, expects: string): v.GenericSchema<string, string> {
  return v.pipe(v.string(), v.metadata({ expects }), v.check(isGood, `expected ${expects}`))
}

function isCidr(value: string): boolean {
  const [base = "", bits, ...more] = value.split("/")
  const width = isIPv4(base) ? 32 : isIPv6(base) ? 128 : 0
  if (width === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width)
}
