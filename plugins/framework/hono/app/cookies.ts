/** The value of one cookie of a Cookie header; the first of that name, as a more specific path comes first (RFC 6265 5.4). */
export function readCookie(header: string | null | undefined, name: string): string | undefined {
  if (header === null || header === undefined || header === "") return undefined
  for (let at = 0; at < header.length; ) {
    let end = header.indexOf(";", at)
    if (end === -1) end = header.length
    while (header.charCodeAt(at) === 32) at++
    if (header.startsWith(name, at) && header.charCodeAt(at + name.length) === 61) return header.slice(at + name.length + 1, end).trim()
    at = end + 1
  }
  return undefined
}

/** A Set-Cookie that scripts cannot read and other sites' forms do not send. */
export function cookie(name: string, value: string, options: { secure: boolean; maxAgeSeconds?: number }): string {
  const age = options.maxAgeSeconds === undefined ? "" : `; Max-Age=${options.maxAgeSeconds}`
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${age}${options.secure ? "; Secure" : ""}`
}

/** On https the prefix keeps other hosts of the domain from planting a cookie of that name (RFC 6265bis 4.1.3.2). */
export function cookieName(name: string, secure: boolean): string {
  return secure ? `__Host-${name}` : name
}
