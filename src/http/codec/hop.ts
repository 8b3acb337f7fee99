/** Fields of one connection (RFC 9110, 7.6.1), whatever their case; by length first, since nearly every field differs there. */
export function isHopByHop(name: string): boolean {
  switch (name.length) {
    case 2:
      return name.toLowerCase() === "te"
    case 7:
      return /^(?:upgrade|trailer)$/i.test(name)
    case 10:
      return /^(?:connection|keep-alive)$/i.test(name)
    case 16:
      return name.toLowerCase() === "proxy-connection"
    case 17:
      return name.toLowerCase() === "transfer-encoding"
    default:
      return false
  }
}

/** What an app says of the connection itself: that the answer is the last on it. */
export function saysClose(name: string, value: string): boolean {
  return name.length === 10 && name.toLowerCase() === "connection" && /(?:^|,)\s*close\s*(?:,|$)/i.test(value)
}
