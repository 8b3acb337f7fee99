/** The fields that tell an upstream where a request came from. */
import { isIP } from "../../system/ip.ts"
import type { Exchange } from "../message/exchange.ts"

/** By X-Forwarded-*, by Forwarded (RFC 7239), by both, or not at all. */
export type ForwardedKind = "x-forwarded" | "rfc7239" | "both" | "none"

export const forwarding = new Set("forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-prefix".split(" "))

/** What the client, or a trusted proxy in front of us, said about where the request came from. */
export interface Received {
  host: string
  for: string
  sentHost: string
  prefix: string
  forwarded: string
}

export function keepForwarded(got: Received, lower: string, value: string): void {
  if (lower === "x-forwarded-for") got.for = joined(got.for, value)
  else if (lower === "x-forwarded-host") got.sentHost ||= value
  else if (lower === "x-forwarded-prefix") got.prefix ||= value
  else if (lower === "forwarded") got.forwarded = got.forwarded === "" ? value : `${got.forwarded}, ${value}`
}

/** Without the empty members that a careless proxy leaves: whoever counts from the right would count them. */
function joined(before: string, value: string): string {
  const clean = /(?:^|,)\s*(?:,|$)/.test(value) ? value.split(",").map(one => one.trim()).filter(one => one !== "").join(", ") : value
  return before === "" || clean === "" ? before + clean : `${before}, ${clean}`
}

/** What a trusted proxy said is added to; from anybody else it was dropped and is replaced. */
export function forwardingFields(x: Exchange, { got, kind }: { got: Received; kind: ForwardedKind }): [name: string, value: string][] {
  if (kind === "none") return []
  const peer = x.conn.peer === "unix" ? "" : x.conn.peer
  const chain = got.for !== "" && peer !== "" ? `${got.for}, ${peer}` : got.for + peer
  const fields: [string, string][] = []
  if (kind === "rfc7239") return [["Forwarded", forwardedField(x, { got, peer })]]
  if (chain !== "") fields.push(["X-Forwarded-For", chain])
  fields.push(["X-Forwarded-Proto", x.scheme])
  const host = got.sentHost || got.host
  if (host !== "") fields.push(["X-Forwarded-Host", host])
  const prefix = got.prefix + x.prefix
  if (prefix !== "") fields.push(["X-Forwarded-Prefix", prefix])
  if (kind === "both") fields.push(["Forwarded", forwardedField(x, { got, peer })])
  else if (got.forwarded !== "") fields.push(["Forwarded", peer === "" ? got.forwarded : `${got.forwarded}, for=${node(peer)}`])
  return fields
}

/** RFC 7239, 4: what was said before, and our own element. */
function forwardedField(x: Exchange, { got, peer }: { got: Received; peer: string }): string {
  const host = got.sentHost || got.host
  const own = `for=${peer === "" ? "unknown" : node(peer)};proto=${x.scheme}${host === "" ? "" : `;host="${host}"`}`
  const before = got.forwarded !== "" || got.for === "" ? got.forwarded : elements(got.for)
  return before === "" ? own : `${before}, ${own}`
}

/** What X-Forwarded-For says, as elements of Forwarded. */
function elements(list: string): string {
  return list
    .split(",")
    .map(text => text.trim())
    .map(address => `for=${isIP(address) === 0 ? "unknown" : node(address)}`)
    .join(", ")
}

/** RFC 7239, 6: IPv6 in brackets, and so in quotes. */
function node(peer: string): string {
  return peer.includes(":") ? `"[${peer}]"` : peer
}
