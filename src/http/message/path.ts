/**
 * The one normal form of a path that routers and files use: percent-decoded once, `//` merged, dot segments resolved,
 * always starting with "/". What is no text or would be structure keeps its escape, in upper case: `%2F` and `%5C`, which
 * some servers take for separators, `%25`, control characters, and bytes that are not UTF-8 (`%E9`). So every "%" in it
 * begins an escape, and `/a%252Fb` stays apart from `/a%2Fb`: nothing made of a normal form is ever decoded twice.
 * Null when it has no such form and the request is to be refused with 400: a bad escape, a byte that no target may hold
 * (codec/target.ts), a backslash, a ".." above the root.
 * `/static../x` and `/a/%2e%2e/b` are the attacks this answers.
 */
export function normalizePath(raw: string): string | null {
  if (raw.charCodeAt(0) !== 47) return null
  let plain = true
  for (let i = 1; i < raw.length; i++) {
    const c = raw.charCodeAt(i)
    // A backslash is a separator to URL parsers and to Windows.
    if (c <= 32 || c >= 127 || c === 92) return null
    // "%" anywhere, or "/" or "." straight after "/"
    if (c === 37 || ((c === 47 || c === 46) && raw.charCodeAt(i - 1) === 47)) plain = false
  }
  if (plain) return raw
  const decoded = decodeSegments(raw)
  return decoded === null ? null : resolveDots(decoded)
}

/** Decoded as in the normal form, with `//` and dot segments as they are; null for a bad escape. */
export function decodeSegments(raw: string): string | null {
  if (!raw.includes("%")) return raw
  if (badEscape.test(raw)) return null
  // What is kept is hidden from the decoder: as %252F it comes out as %2F.
  const kept = raw.replace(keptEscape, escape => `%25${escape.slice(1).toUpperCase()}`)
  try {
    return decodeURIComponent(kept)
  } catch {
    return decodeURIComponent(kept.replace(/(?:%[89a-f][0-9a-f])+/gi, keepBytes))
  }
}

const badEscape = /%(?![0-9a-f]{2})/i
const keptEscape = /%(?:2f|5c|25|[01][0-9a-f]|7f)/gi

/** Escapes of bytes above 0x7F: those that are not UTF-8 are hidden from the decoder too. */
function keepBytes(run: string): string {
  let kept = ""
  for (let i = 0; i < run.length; ) {
    const lead = Number.parseInt(run.slice(i + 1, i + 3), 16)
    const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    const one = run.slice(i, i + size * 3)
    if (isUtf8(one)) {
      kept += one
      i += one.length
    } else {
      kept += `%25${run.slice(i + 1, i + 3).toUpperCase()}`
      i += 3
    }
  }
  return kept
}

/** The decoder refuses overlong forms and halves of surrogate pairs. */
function isUtf8(escapes: string): boolean {
  try {
    return decodeURIComponent(escapes).length > 0
  } catch {
    return false
  }
}

/** Merges `//` and resolves dot segments; null for a ".." above the root. */
export function resolveDots(path: string): string | null {
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

const encoded = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]+|%(?![0-9A-Fa-f]{2})/g

/**
 * A path in normal form as a client may follow it: what RFC 3986 3.3 does not allow is percent-encoded, quotes, "?", "#"
 * and backslashes too, so that it is safe in a Location. Its escapes stay.
 */
export function encodePath(path: string): string {
  return path.replace(encoded, part => encodeURIComponent(part.toWellFormed()))
}

/** Text of the machine, such as a name of a file, as it stands in a path in normal form. */
export function pathOfText(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.toWellFormed().replace(/[%\\\u0000-\u001f\u007f]/g, encodeURIComponent)
}

/** The name of a file that a path in normal form stands for; null where no file has such a one: NUL, `%2F`, no UTF-8. */
export function textOfPath(path: string): string | null {
  if (!path.includes("%")) return path
  return /%(?!25)/.test(path) ? null : path.replaceAll("%25", "%")
}

/**
 * The path of a target as bytes, one character a byte, percent-decoded once and otherwise as the client wrote it: what
 * PEP 3333 (PATH_INFO) and ASGI ask for. `target` is ASCII.
 */
export function pathBytes(target: string): string {
  const mark = target.indexOf("?")
  const path = mark < 0 ? target : target.slice(0, mark)
  return path.includes("%") ? path.replace(/%[0-9a-f]{2}/gi, escape => String.fromCharCode(Number.parseInt(escape.slice(1), 16))) : path
}
