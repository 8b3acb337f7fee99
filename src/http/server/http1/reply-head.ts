import { clock } from "../../../system/clock.ts"
import { validName, validValue } from "../../codec/fields.ts"
import type { HeaderList } from "../../message/headers.ts"
import { bodyLength } from "../../message/reply.ts"
import type { Reply } from "../../message/reply.ts"
import { statusLine } from "../../message/status.ts"

/** A reply that cannot be sent as HTTP; the client gets 502 and not one byte of it. */
export class BadReply extends Error {
  override readonly name = "BadReply"
}

/** How the client knows where the body ends (RFC 9112, 6.3). */
export const enum Framing {
  /** There is none, whatever the reply holds: HEAD, 204, 304. */
  None,
  Length,
  Chunked,
  Close,
}

export interface HeadFacts {
  readonly isHead: boolean
  readonly minor: 0 | 1
  readonly keepAlive: boolean
  readonly server: string | undefined
}

export interface ReplyHead {
  readonly text: string
  readonly framing: Framing
  /** Bytes of body that the client will wait for; -1 where that is not known. */
  readonly length: number
}

/** Status line and header section of a reply, checked: a CR or LF from an app must not become a line of its own. */
export function replyHead(reply: Reply, facts: HeadFacts): ReplyHead {
  const { status } = reply
  if (!Number.isInteger(status) || status < 200 || status > 999) throw new BadReply(`status ${status} cannot be sent`)
  const { text: lines, declared, dated, served, upgrade, trailer } = readLines(reply.headers)
  const { framing, length } = frame(reply, declared, facts)
  let text = startLine(reply) + lines
  if (reply.bornSec !== undefined) text += "Age: " + Math.max(0, clock.sec - reply.bornSec) + "\r\n"
  if (!dated) text += "Date: " + clock.date + "\r\n"
  if (!served && facts.server !== undefined) text += "Server: " + facts.server + "\r\n"
  // No trailers follow where there are no chunks.
  if (framing === Framing.Chunked) text += trailer + "Transfer-Encoding: chunked\r\n"
  else if (length >= 0) text += "Content-Length: " + length + "\r\n"
  text += connectionLine(facts.keepAlive && framing !== Framing.Close, facts.minor)
  // RFC 9110, 7.8 and 15.5.22: which protocols would do; it is of this connection.
  if (status === 426 && upgrade !== "" && facts.minor === 1) text += `Upgrade: ${upgrade}\r\nConnection: upgrade\r\n`
  return { text: text + "\r\n", framing, length }
}

/** Header lines as they are sent, and what was found in them. */
interface Lines {
  readonly text: string
  /** Content-Length, or -1. */
  readonly declared: number
  readonly dated: boolean
  readonly served: boolean
  /** Value of Upgrade, and the line of Trailer; "" for none. */
  readonly upgrade: string
  readonly trailer: string
}

/** The last shared list: an upstream often says the same word for word. Declined: a WeakMap, dear where nothing repeats. */
let lastFlat: readonly string[] | undefined
let lastLines: Lines | undefined

function readLines(headers: HeaderList): Lines {
  const { flat } = headers
  if (lastLines !== undefined && flat === lastFlat && !headers.changed) return lastLines
  const lines = checkLines(flat)
  if (!headers.changed) {
    lastFlat = flat
    lastLines = lines
  }
  return lines
}

function checkLines(flat: readonly string[]): Lines {
  let text = ""
  let declared = -1
  let dated = false
  let served = false
  let upgrade = ""
  let trailer = ""
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    const value = flat[i + 1]!
    const role = roleOf(name)
    if (role === "drop") continue
    if (role === "length") {
      if (declared >= 0 || !/^\d{1,15}$/.test(value)) throw new BadReply(`a bad Content-Length: ${JSON.stringify(value)}`)
      declared = Number(value)
      continue
    }
    if (role === "date") dated = true
    else if (role === "server") served = true
    if (!validName(name) || !validValue(value)) throw new BadReply(`a header that cannot be sent: ${JSON.stringify(name)}`)
    if (role === "upgrade") upgrade = value
    else if (role === "trailer") trailer += name + ": " + value + "\r\n"
    else text += name + ": " + value + "\r\n"
  }
  return { text, declared, dated, served, upgrade, trailer }
}

/** An interim answer (RFC 9110, 15.2): never a body, never a framing. */
export function earlyHead(status: number, headers: HeaderList): string {
  let text = statusLine(status)
  for (const [name, value] of headers) {
    if (!validName(name) || !validValue(value)) throw new BadReply(`a header that cannot be sent: ${JSON.stringify(name)}`)
    const role = roleOf(name)
    if (role !== "drop" && role !== "length" && role !== "upgrade" && role !== "trailer") text += name + ": " + value + "\r\n"
  }
  return text + "\r\n"
}

/** 1.1 keeps and 1.0 closes unless something else is said (RFC 9112, 9.3). */
export function connectionLine(keepAlive: boolean, minor: 0 | 1): string {
  return keepAlive ? (minor === 1 ? "" : "Connection: keep-alive\r\n") : "Connection: close\r\n"
}

function frame(reply: Reply, declared: number, facts: HeadFacts): { framing: Framing; length: number } {
  const { status, body } = reply
  if (status === 204) return { framing: Framing.None, length: -1 }
  const known = bodyLength(body)
  // What a GET would have: as declared, else as far as the body tells.
  if (facts.isHead) return { framing: Framing.None, length: declared >= 0 || body === null ? declared : known }
  if (status === 304) return { framing: Framing.None, length: declared }
  if (known >= 0) {
    if (declared >= 0 && declared !== known) throw new BadReply(`Content-Length ${declared} but a body of ${known} bytes`)
    return { framing: Framing.Length, length: known }
  }
  if (declared >= 0) return { framing: Framing.Length, length: declared }
  return { framing: facts.minor === 1 ? Framing.Chunked : Framing.Close, length: -1 }
}

function startLine(reply: Reply): string {
  const { reason, status } = reply
  if (reason === undefined) return statusLine(status)
  if (!validValue(reason)) throw new BadReply("a reason phrase that cannot be sent")
  return `HTTP/1.1 ${status} ${reason}\r\n`
}

/** Names the engine has a say in; by length first, because this runs for every header of every reply. */
function roleOf(name: string): "drop" | "length" | "date" | "server" | "upgrade" | "trailer" | "" {
  switch (name.length) {
    case 4:
      return name.toLowerCase() === "date" ? "date" : ""
    case 6:
      return name.toLowerCase() === "server" ? "server" : ""
    case 7: {
      const lower = name.toLowerCase()
      return lower === "upgrade" || lower === "trailer" ? lower : ""
    }
    case 10: {
      const lower = name.toLowerCase()
      return lower === "connection" || lower === "keep-alive" ? "drop" : ""
    }
    case 14:
      return name.toLowerCase() === "content-length" ? "length" : ""
    case 16:
      return name.toLowerCase() === "proxy-connection" ? "drop" : ""
    case 17:
      return name.toLowerCase() === "transfer-encoding" ? "drop" : ""
    default:
      return ""
  }
}
