/**
 * Names that are one for an app: CGI makes HTTP_X_USER of X-User and of X_User, PHP also of X.User. Whoever sets a field for
 * an app must take off all that would be taken for it.
 */

/** True when apps may take the one for the other: letters and digits are the same whatever their case, the others may differ. */
export function isAlike(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) {
    const [c, d] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (c !== d && fold[c & 127] !== fold[d & 127]) return false
  }
  return true
}

/** Letters in lower case, digits, and "_" for everything else. */
const fold = new Uint8Array(128).fill(95)
for (let c = 48; c < 58; c++) fold[c] = c
for (let c = 97; c < 123; c++) fold[c] = fold[c - 32] = c

/** Letters, digits and "-": a name that nothing else is taken for. As nginx, which drops all others ("invalid headers"). */
export function isPlain(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i)
    if (c !== 45 && (c > 127 || fold[c] === 95)) return false
  }
  return true
}

/**
 * Takes lines off `flat` whose name is not plain where a plain one is there that it would be taken for: a trusted proxy writes
 * X-User and passes on the client's own X_User, and an app would join the two or take the last.
 */
export function dropTwins(flat: string[]): void {
  for (let i = flat.length - 2; i >= 0; i -= 2) {
    if (!isPlain(flat[i]!) && flat.some((name, at) => at % 2 === 0 && isPlain(name) && isAlike(name, flat[i]!))) flat.splice(i, 2)
  }
}

/**
 * Says who the client is, in any spelling that an app would take for it: a trusted proxy writes it with "-", and passes on what
 * a client wrote otherwise.
 */
export function isForged(name: string, trusted: boolean): boolean {
  return forged.test(name) && (!trusted || !isPlain(name))
}

const forged = /^x[^a-z0-9](?:forwarded[^a-z0-9]|accel[^a-z0-9]|real[^a-z0-9]ip$)/i
