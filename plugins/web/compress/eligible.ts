/** Which answers may be compressed, and what of their head changes when they are. */
import type { Exchange, HeaderList, Reply } from "edge"
import { bodyLength } from "edge"

export interface Rules {
  isType(type: string): boolean
  readonly minSize: number
  /** Also answers that carry a digest or a signature. */
  readonly signed: boolean
}

/** By media type; the parameters after ";" do not matter. */
export function typeTest(patterns: readonly string[]): (type: string) => boolean {
  const source = patterns.map(pattern => pattern.toLowerCase().replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", "[^;]*"))
  const regex = new RegExp(`^(?:${source.join("|")})\\s*(?:;|$)`)
  return type => regex.test(type.toLowerCase())
}

/**
 * True where an answer may be compressed for clients that want it, and so varies by Accept-Encoding. `isHead`: without a body it
 * stands for what a GET would get.
 */
export function isEligible(reply: Reply, rules: Rules, isHead = false): boolean {
  const { status, headers, body } = reply
  // 206 is a range of the identity; 204, 205, 304 and 1xx have no body.
  if (status < 200 || status === 204 || status === 205 || status === 206 || status === 304) return false
  if (body === null && !isHead) return false
  const length = body === null ? declaredLength(headers) : bodyLength(body)
  if (length >= 0 && length < rules.minSize) return false
  const type = headers.get("content-type")
  if (type === null || !rules.isType(type)) return false
  const coding = headers.get("content-encoding")
  if (coding !== null && coding.toLowerCase() !== "identity") return false
  return !forbids(headers) && (rules.signed || !isSigned(headers))
}

function declaredLength(headers: HeaderList): number {
  const text = headers.get("content-length")
  return text !== null && /^\d+$/.test(text) ? Number(text) : -1
}

/** Other bytes would make a lie of it: Content-Digest and Repr-Digest (RFC 9530), Digest, Content-MD5, Signature (RFC 9421). */
function isSigned(headers: HeaderList): boolean {
  return signing.some(name => headers.has(name))
}

const digests = ["Content-MD5", "Content-Digest", "Repr-Digest", "Digest"]
const signing = [...digests, "Signature", "Signature-Input"]

/** RFC 9110 7.7. */
export function forbids(headers: HeaderList): boolean {
  return headers.get("cache-control")?.toLowerCase().includes("no-transform") === true
}

/**
 * BREACH: a page of another site makes the victim's browser send guesses and reads secrets off the length of the answer.
 * Such requests come with cookies and `Sec-Fetch-Site: cross-site`; answers made for them are not compressed.
 * Answers from memory hold no secret of one user and nothing that the request said.
 */
export function isGuess(x: Exchange): boolean {
  return x.headers.get("sec-fetch-site") === "cross-site" && x.headers.has("cookie") && x.headers.get("sec-fetch-mode") !== "navigate"
}

export function addVary(headers: HeaderList): void {
  const vary = headers.get("vary")
  if (vary === null) headers.append("Vary", "Accept-Encoding")
  else if (!/(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(vary)) headers.set("Vary", `${vary}, Accept-Encoding`)
}

/** The head of the compressed form: a tag that no longer stands for bytes, and no promise of ranges or digests of them. */
export function encodeHead(headers: HeaderList, encoding: string): void {
  headers.set("Content-Encoding", encoding)
  addVary(headers)
  weaken(headers)
  for (const name of ["Content-Length", "Accept-Ranges", ...digests]) headers.delete(name)
}

export function weaken(headers: HeaderList): void {
  const etag = headers.get("etag")
  if (etag !== null && etag.startsWith('"')) headers.set("ETag", `W/${etag}`)
}
