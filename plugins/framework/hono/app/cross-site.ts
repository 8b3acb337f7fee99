import { HTTPException } from "hono/http-exception"
import type { Ctx } from "./env.ts"
import { CSRF_FIELD, CSRF_HEADER } from "./csrf.ts"

/** Why a request that changes something is not let in, or undefined. */
export type Refusal = string | undefined

const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE"])

export function isSafe(method: string): boolean {
  return SAFE.has(method)
}

/**
 * Cross-site request forgery: another site lets the visitor's browser send a form, with the visitor's cookies. Browsers
 * say where a request comes from (Sec-Fetch-Site, else Origin); what only a form can send must carry the visitor's token
 * too. `trusted` are other origins that may.
 */
export async function refuse(c: Ctx, trusted: ReadonlySet<string>): Promise<Refusal> {
  const headers = c.req.raw.headers
  if (!isFromHere(c, trusted)) return `the request comes from ${headers.get("origin") === "null" ? "a page without an origin" : "another site"}`
  const type = (headers.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase()
  if (!FORM_TYPES.has(type)) return undefined
  const { csrf } = c.var
  const sent = headers.get(CSRF_HEADER)
  if (sent !== null) return csrf.check(sent) ? undefined : STALE
  if (!csrf.isKnown) return "the form has no token"
  const token = type === "multipart/form-data" ? await firstPart(c) : type === "application/x-www-form-urlencoded" ? await fieldOf(c) : undefined
  return csrf.check(token) ? undefined : token === undefined ? "the form has no token" : STALE
}

/**
 * Sec-Fetch-Site is the browser's own judgement, which no script can write and no proxy rewrites: it goes before Origin,
 * as in Go's CrossOriginProtection. Behind a proxy that changes Host, loses the port or ends TLS, the two would not agree,
 * and after `Referrer-Policy: no-referrer` Origin is "null" on forms of the site itself. Browsers say it over https and to
 * localhost; elsewhere Origin must name this site.
 */
function isFromHere(c: Ctx, trusted: ReadonlySet<string>): boolean {
  const { headers, url } = c.req.raw
  const origin = headers.get("origin")
  if (origin !== null && (trusted.has(origin) || origin === siteOrigin(c))) return true
  const site = headers.get("sec-fetch-site")
  // A subdomain is another site here ("same-site"): it may be somebody else's, or be taken over.
  if (site !== null) return site === "same-origin" || site === "none"
  // No browser, and nobody's cookies; or an old one, whose forms have the token.
  if (origin === null) return true
  const from = URL.parse(origin)
  const here = new URL(url)
  // Who ended TLS may not have said so; from https to http, which a network can forge, none goes unseen.
  const isHere = from !== null && (from.protocol === here.protocol || from.protocol === "https:") && from.host === hostFor(from.protocol, headers.get("host") ?? here.host)
  if (!isHere) explainOnce(c, origin)
  return isHere
}

/** `host` without the port that goes without saying. */
function hostFor(protocol: string, host: string): string | undefined {
  return URL.parse(`${protocol}//${host}`)?.host
}

const explained = new WeakSet<object>()

/** Once for each app: a stranger must not fill the log. */
function explainOnce(c: Ctx, origin: string): void {
  const { app } = c.var
  if (explained.has(app)) return
  explained.add(app)
  app.booted.log.warn("a form or request was refused because its Origin is not this site's. If it is your own site behind a proxy that changes Host: say where the site is, new App({ url }) or SITE_URL", { origin: origin.slice(0, 200), host: c.req.raw.headers.get("host") ?? "" })
}

/** As configured: behind a proxy that is not trusted the request's own origin is not the one that browsers see. */
function siteOrigin(c: Ctx): string | undefined {
  const { siteUrl } = c.var.app
  return siteUrl === undefined ? undefined : URL.parse(siteUrl)?.origin
}

/** What a page of another site can send without asking first (https://fetch.spec.whatwg.org/#simple-header). */
const FORM_TYPES = new Set(["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""])
const STALE = "the form is too old, or of another visitor"

/** Longest form without files that is held in memory, in bytes. */
const LARGEST = 2_621_440

/** The body is read and put back, so that the handler can read it in any way. */
async function fieldOf(c: Ctx): Promise<string | undefined> {
  const text = await boundedText(c.req.raw)
  replaceBody(c, text)
  return new URLSearchParams(text).get(CSRF_FIELD) ?? undefined
}

/** The text of a form; throws 413 before it holds more than the largest. */
export async function boundedText({ body, headers }: Request): Promise<string> {
  if (Number(headers.get("content-length") ?? 0) > LARGEST) throw new HTTPException(413, { message: "The form is too large." })
  const decoder = new TextDecoder()
  let text = ""
  let size = 0
  // A body in chunks says no length before it is there.
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    if (size > LARGEST) throw new HTTPException(413, { message: "The form is too large." })
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** Most that is read of a multipart body to find the token in its first part, in bytes. */
const PEEK = 4096

/**
 * The token must be the form's first field (forms render it so): an upload is then neither held in memory nor read
 * before it is known to be meant.
 */
async function firstPart(c: Ctx): Promise<string | undefined> {
  const { body } = c.req.raw
  if (body === null) return undefined
  const reader = body.getReader()
  const read: Uint8Array[] = []
  let size = 0
  let head = ""
  let found: string | undefined
  let done = false
  while (size < PEEK && found === undefined && !done) {
    const chunk = await reader.read()
    done = chunk.done
    if (chunk.value !== undefined) {
      read.push(chunk.value)
      size += chunk.value.byteLength
      head += Buffer.from(chunk.value).toString("latin1")
      found = TOKEN_PART.exec(head)?.[1]
    }
  }
  const rest = new ReadableStream<Uint8Array>({
    pull: async controller => {
      const chunk = read.length > 0 ? { value: read.shift()!, done: false } : await reader.read()
      if (chunk.done) controller.close()
      else controller.enqueue(chunk.value)
    },
    cancel: reason => reader.cancel(reason),
  })
  replaceBody(c, rest)
  return found
}
const TOKEN_PART = /^--[^\r\n]{1,200}\r\nContent-Disposition: form-data; name="?_csrf"?\r\n\r\n([\w.-]{1,200})\r\n--/i

function replaceBody(c: Ctx, body: BodyInit): void {
  const { method, headers, signal, url } = c.req.raw
  c.req.raw = new Request(url, { method, headers, body, signal, duplex: "half" } as RequestInit)
}
