/**
 * The one normal form of a path that routers and files use: percent-decoded once (but `%2F` stays as it is, so that it
 * never becomes a separator), `//` merged, dot segments resolved, always starting with "/".
 * Null when it has no such form and the request is to be refused with 400: a bad escape, bytes that are not UTF-8
 * (overlong forms too), NUL or another control character, a ".." above the root.
 * `/static../x`, `/a/%2e%2e/b` and `/%c0%ae/` are the attacks this answers.
 */
export function normalizePath(raw: string): string | null {
  if (raw.charCodeAt(0) !== 47) return null
  let plain = true
  for (let i = 1; i < raw.length; i++) {
    const c = raw.charCodeAt(i)
    if (c <= 32 || c >= 127) return null
    // "%" anywhere, or "/" or "." straight after "/"
    if (c === 37 || ((c === 47 || c === 46) && raw.charCodeAt(i - 1) === 47)) {
      plain = false
      break
    }
  }
  if (plain) return raw
  const decoded = decode(raw)
  return decoded === null ? null : resolveDots(decoded)
}

function decode(raw: string): string | null {
  if (!raw.includes("%")) return controls.test(raw) ? null : raw
  // %2F is hidden from the decoder: as %252F it comes out as %2F.
  const kept = raw.replaceAll(/%2f/gi, "%252F")
  try {
    const decoded = decodeURIComponent(kept)
    return controls.test(decoded) ? null : decoded
  } catch {
    return null
  }
}

// eslint-disable-next-line no-control-regex
const controls = /[\u0000-\u001f\u007f]/

function resolveDots(path: string): string | null {
  const out: string[] = []
  const segments = path.split("/")
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i]!
    const last = i === segments.length - 1
    if (segment === "" || segment === ".") {
      if (last) out.push("")
    } else if (segment === "..") {
      if (out.pop() === undefined) return null
      if (last) out.push("")
    } else out.push(segment)
  }
  return "/" + out.join("/")
}

const encoded = /%2F|%|[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]+/g

/**
 * A path in normal form as a client may follow it: what RFC 3986 3.3 does not allow is percent-encoded, controls, quotes,
 * "?", "#" and backslashes too, so that it is safe in a Location. `%2F` stays.
 */
export function encodePath(path: string): string {
  return path.replace(encoded, part => (part === "%2F" ? part : encodeURIComponent(part.toWellFormed())))
}
