import { isIP } from "../../system/ip.ts"
import type { Exchange, ForwardedRules } from "../message/exchange.ts"

/**
 * Who the client is behind trusted proxies. Each proxy appends the address that it saw, so the list is read from the
 * right: as long as an address is a trusted proxy, what it wrote to its left is believed; the first other one is the
 * client. Whatever stands left of that came from the client and may say anything.
 * X-Forwarded-For goes before Forwarded (RFC 7239): a proxy that keeps one of them is nearly always one that keeps
 * X-Forwarded-For, and passes a forged Forwarded on.
 */
export function forwardedRules(trusted: (peer: string) => boolean): ForwardedRules {
  return {
    ip: x => walk(x, trusted).ip,
    scheme(x) {
      const list = x.headers.get("x-forwarded-proto")
      const said = list === null ? parseForwarded(x.headers.get("forwarded") ?? "").map(element => element.get("proto") ?? "") : members(list)
      // Of the same hop as the address: each proxy of the chain appended both, or the outermost alone wrote this one.
      const at = said.length <= 1 ? 0 : Math.max(0, said.length - Math.max(1, walk(x, trusted).hops))
      const scheme = said[at]?.toLowerCase()
      return scheme === "http" || scheme === "https" ? scheme : undefined
    },
  }
}

/** The client, and how many elements from the right were read: those that trusted proxies wrote. */
function walk(x: Exchange, trusted: (peer: string) => boolean): { ip: string; hops: number } {
  let ip = x.conn.peer
  let hops = 0
  const chain = forwardedChain(x)
  for (let i = chain.length - 1; i >= 0 && trusted(ip); i--) {
    hops++
    const next = nodeAddress(chain[i]!)
    // "unknown" or an obfuscated name: the proxy behind it is the best that is known.
    if (next === null) break
    ip = next
  }
  return { ip, hops }
}

/** Empty members count for nothing (RFC 9110, 5.6.1.2). */
function members(list: string): string[] {
  return list.split(",").map(entry => entry.trim()).filter(entry => entry !== "")
}

function forwardedChain(x: Exchange): string[] {
  const list = x.headers.get("x-forwarded-for")
  if (list !== null) return members(list)
  const forwarded = x.headers.get("forwarded")
  if (forwarded === null) return []
  return parseForwarded(forwarded).map(element => element.get("for") ?? "unknown")
}

/** The elements of a Forwarded value (RFC 7239, 4), keys in lower case; a malformed element is empty. */
export function parseForwarded(value: string): Map<string, string>[] {
  return splitOutsideQuotes(value, ",").map(element => {
    const pairs = new Map<string, string>()
    for (const pair of splitOutsideQuotes(element, ";")) {
      const match = /^\s*([!#$%&'*+\-.^_`|~\w]+)=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+\-.^_`|~\w]+))\s*$/.exec(pair)
      if (match === null) return new Map<string, string>()
      pairs.set(match[1]!.toLowerCase(), match[3] ?? match[2]!.replaceAll(/\\(.)/g, "$1"))
    }
    return pairs
  })
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = []
  let from = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (quoted && c === "\\") i++
    else if (c === '"') quoted = !quoted
    else if (c === separator && !quoted) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  parts.push(text.slice(from))
  return parts
}

/** The address of "1.2.3.4", "1.2.3.4:80", "::1", "[::1]" or "[::1]:80"; null when there is none. */
function nodeAddress(node: string): string | null {
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(node)?.[1] ?? (/^\d+\.\d+\.\d+\.\d+:\d{1,5}$/.test(node) ? node.slice(0, node.indexOf(":")) : node)
  return isIP(bare) === 0 ? null : bare
}
