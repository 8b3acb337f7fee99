import { domainToASCII } from "node:url"

/** What a URI may hold, "%" among it: what is encoded already stays as it is. */
const FOREIGN = /[^\w\-.~:/?#[\]@!$&'()*+,;=%]/gu

/**
 * A target as a Location header may hold it (RFC 9110 10.2.2, RFC 3987 3.1): everything that is not ASCII, spaces, line
 * ends and the backslash, which browsers take for a slash, are percent-encoded as UTF-8; what is encoded already is left
 * alone, so that `%2F` stays one; the name of a host becomes its ASCII form.
 */
export function toLocation(target: string): string {
  const named = target.replace(/^([a-z][a-z0-9+.-]*:)?\/\/((?:[^/?#@]*@)?)([^/?#:[\]]+)/i, (all, scheme: string | undefined, user: string, host: string) => {
    if (!NOT_ASCII.test(host)) return all
    const ascii = domainToASCII(host)
    return ascii === "" ? all : `${scheme ?? ""}//${user}${ascii}`
  })
  return named.replace(FOREIGN, each => encodeURIComponent(each.isWellFormed() ? each : "\ufffd"))
}
// oxlint-disable-next-line no-control-regex
const NOT_ASCII = /[^\u0000-\u007f]/

/** Whether a Location that somebody else wrote can leave as it is. */
export function isLocation(value: string): boolean {
  return /^[!-~]*$/.test(value)
}
