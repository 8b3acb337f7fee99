/** Who may say who its client is: the ranges of `trusted_proxies`, and "unix". */
import { BlockList, isIPv6 } from "node:net"

export function trustedPeers(ranges: readonly string[]): (peer: string) => boolean {
  if (ranges.length === 0) return () => false
  const unix = ranges.includes("unix")
  const list = new BlockList()
  for (const range of ranges) {
    if (range === "unix") continue
    const [address = "", bits] = range.split("/") as [string, string?]
    const family = isIPv6(address) ? "ipv6" : "ipv4"
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return peer => (peer === "unix" ? unix : list.check(peer, isIPv6(peer) ? "ipv6" : "ipv4"))
}
