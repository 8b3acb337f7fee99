/** 1 for what a host name may hold. No "%", no sub-delims, no user info: nobody needs them, and links are built from it. */
const isHost = new Uint8Array(256)
for (const c of "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~") isHost[c.charCodeAt(0)] = 1
const isAddress6 = new Uint8Array(256)
for (const c of "0123456789abcdefABCDEF:.") isAddress6[c.charCodeAt(0)] = 1

/**
 * The host of a Host header or of an authority (RFC 9110, 7.2; RFC 3986, 3.2.2): lower case, no port, no trailing dot.
 * Null when it is not one: empty, user info, a bad port, a byte that no host has.
 */
export function parseHost(value: string): string | null {
  const n = value.length
  let i = 0
  if (value.charCodeAt(0) === 91) {
    i = 1
    while (i < n && isAddress6[value.charCodeAt(i) & 255] === 1 && value.charCodeAt(i) < 256) i++
    if (i < 3 || value.charCodeAt(i) !== 93) return null
    i++
  } else {
    let dot = true
    for (; i < n; i++) {
      const c = value.charCodeAt(i)
      if (c > 255 || isHost[c] === 0) break
      // An empty label: a dot in front or two in a row.
      if (c === 46 && dot) return null
      dot = c === 46
    }
    if (i === 0) return null
  }
  const end = value.charCodeAt(i - 1) === 46 ? i - 1 : i
  if (i < n && !validPort(value, i)) return null
  return lower(end === n ? value : value.slice(0, end))
}

/** ":" and up to five digits; a port may be empty (RFC 3986, 3.2.3). */
function validPort(value: string, at: number): boolean {
  if (value.charCodeAt(at) !== 58 || value.length - at > 6) return false
  let port = 0
  for (let i = at + 1; i < value.length; i++) {
    const c = value.charCodeAt(i)
    if (c < 48 || c > 57) return false
    port = port * 10 + (c - 48)
  }
  return port <= 65535
}

function lower(host: string): string {
  for (let i = 0; i < host.length; i++) {
    const c = host.charCodeAt(i)
    if (c >= 65 && c <= 90) return host.toLowerCase()
  }
  return host
}
