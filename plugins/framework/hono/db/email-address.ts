import { domainToASCII } from "node:url"
import * as v from "valibot"

/**
 * An address as it is kept, compared and sent to: the domain in its ASCII form (`почта.рф` is `xn--80a1acny.xn--p1ai`), as
 * browsers send it and mail servers are found by; so one mailbox is one text however it was typed. ASCII addresses stay
 * as they are.
 */
export function toEmail(typed: string): string {
  return withAsciiDomain(typed.trim())
}

export function withAsciiDomain(text: string): string {
  const at = text.lastIndexOf("@")
  const domain = text.slice(at + 1)
  if (at < 1 || !NOT_ASCII.test(domain)) return text
  const ascii = domainToASCII(domain)
  return ascii === "" ? text : `${text.slice(0, at)}@${ascii}`
}
// oxlint-disable-next-line no-control-regex
const NOT_ASCII = /[^\u0000-\u007f]/

/**
 * What browsers take in <input type="email"> (https://html.spec.whatwg.org/#valid-e-mail-address), besides: a domain has a
 * dot, and no part before the "@" is empty (RFC 5322 3.4.1, dot-atom). Letters other than ASCII before the "@" are
 * refused: most mail servers do not take them (RFC 6531).
 */
const LOCAL = "[\\w!#$%&'*+/=?^`{|}~-]+(?:\\.[\\w!#$%&'*+/=?^`{|}~-]+)*"
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
const ADDRESS = new RegExp(`^${LOCAL}@(?:${LABEL}\\.)+${LABEL}$`, "i")

export function isEmail(text: string): boolean {
  return text.length <= 254 && ADDRESS.test(text)
}

/** valibot's action with the stricter form, so that forms have their words for it. */
const wellFormed: v.RfcEmailAction<string, undefined> = { ...v.rfcEmail(), requirement: ADDRESS }

/** The schema of an address, for forms of your own: valibot's `v.email()` knows neither `почта.рф` nor its ASCII form. */
export const emailAddress = v.pipe(v.string(), v.transform(toEmail), wellFormed, v.maxLength(254))
