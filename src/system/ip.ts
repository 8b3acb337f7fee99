/**
 * Is a text an IP address? The same answers as node:net, whose import costs every process 2 ms of start and its streams.
 */

const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
const V4 = new RegExp(`^(?:${BYTE}\\.){3}${BYTE}$`)
const GROUP = /^[0-9a-f]{1,4}$/i

export function isIPv4(text: string): boolean {
  return V4.test(text)
}

/** RFC 4291, 2.2, and a zone ("%eth0", RFC 4007, 11). */
export function isIPv6(text: string): boolean {
  const [address = "", zone, ...more] = text.split("%")
  if (more.length > 0 || zone === "" || (zone !== undefined && !/^[0-9A-Za-z-.:_]+$/.test(zone))) return false
  const halves = address.split("::")
  if (halves.length > 2) return false
  const groups = halves.map((half, i) => countGroups(half, { last: i === halves.length - 1 }))
  if (groups.includes(-1)) return false
  const count = groups.reduce((sum, n) => sum + n, 0)
  // "::" stands for at least one group.
  return halves.length === 2 ? count <= 7 : count === 8
}

/** 4, 6, or 0 for neither. */
export function isIP(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4
  return isIPv6(text) ? 6 : 0
}

/** How many 16-bit groups a half has (an IPv4 address at the very end counts as two); -1 when one of them is wrong. */
function countGroups(half: string, { last }: { last: boolean }): number {
  if (half === "") return 0
  const groups = half.split(":")
  const tail = groups[groups.length - 1]!
  const embedded = last && tail.includes(".")
  const hex = embedded ? groups.slice(0, -1) : groups
  if (embedded && !isIPv4(tail)) return -1
  return hex.every(group => GROUP.test(group)) ? hex.length + (embedded ? 2 : 0) : -1
}
