/** What may stand in a field line (RFC 9110, 5.5 and 5.6.2), as tables over the byte, and a strict parser of such lines. */

/** 1 for `tchar`: what names, methods and tokens are made of. */
export const isToken = new Uint8Array(256)
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  isToken[c.charCodeAt(0)] = 1
}

/** 1 for what a field value may hold: HTAB, SP, VCHAR, obs-text. Not CR, LF, NUL, other controls, DEL. */
export const isValue = new Uint8Array(256)
isValue[9] = 1
isValue.fill(1, 32, 256)
isValue[127] = 0

/** True when the name can be sent as a field name. */
export function validName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i)
    if (c > 255 || isToken[c] === 0) return false
  }
  return name.length > 0
}

/** True when the value can be sent on one line: a CR, LF or NUL would split the message (response splitting). */
export function validValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i)
    if (c > 255 || isValue[c] === 0) return false
  }
  return true
}

/**
 * Reads field lines out of `text` (Latin-1, one byte a character) from `from` to the empty line, and appends name, value,
 * name, value, ... to `flat`. Returns the offset after the empty line. Throws `fail(why)` on anything else than
 * `name ":" OWS value OWS CRLF`: obs-fold, a space before the colon, bare CR or LF, controls (RFC 9112, 5).
 */
export function readFields(text: string, from: number, into: { flat: string[]; fail(why: string): Error }): number {
  const { flat } = into
  const n = text.length
  let i = from
  for (;;) {
    if (i + 1 < n && text.charCodeAt(i) === 13 && text.charCodeAt(i + 1) === 10) return i + 2
    const nameAt = i
    while (i < n && isToken[text.charCodeAt(i)] === 1) i++
    if (i === nameAt || i >= n || text.charCodeAt(i) !== 58) throw into.fail("a field line without a valid name")
    const name = text.slice(nameAt, i++)
    while (i < n && (text.charCodeAt(i) === 32 || text.charCodeAt(i) === 9)) i++
    const valueAt = i
    while (i < n && isValue[text.charCodeAt(i)] === 1) i++
    if (i + 1 >= n || text.charCodeAt(i) !== 13 || text.charCodeAt(i + 1) !== 10) {
      throw into.fail("a forbidden byte in a field value")
    }
    let valueEnd = i
    while (valueEnd > valueAt && (text.charCodeAt(valueEnd - 1) === 32 || text.charCodeAt(valueEnd - 1) === 9)) valueEnd--
    flat.push(name, text.slice(valueAt, valueEnd))
    i += 2
  }
}
