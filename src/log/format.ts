/** Formats of access log lines, made into functions once. */
import type { Exchange, ExchangeEnd } from "../http/message/exchange.ts"
import { nowCommon, nowIso } from "./now.ts"
import { shortLine } from "./short-line.ts"

/** What a line hides. */
export interface Hiding {
  /** Query parameters whose values are not written. */
  readonly redact: readonly string[]
  /** Addresses without their last part: 192.0.2.0, 2001:db8:1::. */
  readonly maskIp: boolean
}

export type Line = (x: Exchange, end: ExchangeEnd) => string

/** A value as it is; null: there is none. */
type Read = (x: Exchange, end: ExchangeEnd) => string | number | null

const names = "ts time ip peer port method host target path query http scheme status bytes ms ua referer id user upstream error sni tls"
const known: ReadonlySet<string> = new Set(names.split(" "))

/** Never written, whoever asks for them: a log is read by more people than a password is meant for. */
const secret = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie"])

export const formatHelp =
  '"json", "combined", "common", "short", "off", or a line with {names}: ' +
  `${[...known].map(name => `{${name}}`).join(" ")} {header.NAME} {answer.NAME} {cookie.NAME} {var.NAME}`

/** What is wrong with a format; null when nothing is. */
export function wrongFormat(format: string): string | null {
  if (["json", "combined", "common", "short", "off"].includes(format)) return null
  const bad = [...format.matchAll(/\{([^{}]*)\}/g)].find(match => !isName(match[1]!))
  return bad === undefined ? null : `no {${bad[1]}} in a log format; there are ${names.replaceAll(/\S+/g, "{$&}")} {header.NAME} {answer.NAME} {cookie.NAME} {var.NAME}`
}

/** Whether a field of a JSON line may be called so. */
export function isName(name: string): boolean {
  return known.has(name) || /^(?:header|answer|cookie|var)\.[\w!#$%&'*+^`|~-]+$/.test(name)
}

interface LineOptions {
  /** With "json": these only; none: all of the default. */
  readonly fields: readonly string[]
  readonly hiding: Hiding
  /** With "short": for a terminal. */
  readonly colour?: boolean
}

export function toLine(format: string, { fields, hiding, colour = false }: LineOptions): Line {
  const hide = toHide(hiding)
  if (format === "short") return shortLine({ target: x => escape(hide.target(x)), colour })
  if (format === "combined" || format === "common") return commonLine(hide, format === "combined")
  if (format !== "json") return templateLine(format, hide)
  return fields.length > 0 ? fieldsLine(fields, hide) : jsonLine(hide)
}

interface Hide {
  target(x: Exchange): string
  referer(x: Exchange): string | null
  ip(x: Exchange): string
  /** The query alone. */
  query(x: Exchange): string
}

function toHide({ redact, maskIp }: Hiding): Hide {
  const escaped = redact.map(name => RegExp.escape(name)).join("|")
  const pattern = new RegExp(`([?&](?:${escaped})=)[^&#\\s]*`, "gi")
  const clean = redact.length === 0 ? (text: string) => text : (text: string) => text.replace(pattern, "$1***")
  return {
    target: x => clean(x.target),
    query: x => (x.query === "" ? "" : clean(`?${x.query}`).slice(1)),
    referer: x => {
      const referer = x.headers.get("referer")
      return referer === null ? null : clean(referer)
    },
    ip: maskIp ? x => maskedIp(x.ip) : x => x.ip,
  }
}

/** IPv4 to 24 bits, IPv6 to 48. */
function maskedIp(ip: string): string {
  if (!ip.includes(":")) return ip.replace(/\.\d+$/, ".0")
  const head = ip.split("::")[0]!.split(":").slice(0, 3).filter(group => group !== "")
  return `${head.join(":")}::`
}

/** The default: what most people look for, in one object. */
function jsonLine(hide: Hide): Line {
  return (x, end) =>
    `{"ts":"${nowIso()}","ip":${quote(hide.ip(x))},"method":${quote(x.method)},"host":${quote(x.host)}` +
    `,"target":${quote(hide.target(x))},"http":"${x.httpVersion}","scheme":"${x.scheme}","status":${end.status}` +
    `,"bytes":${end.bytesOut},"ms":${end.ms.toFixed(2)}` +
    optional(',"referer":', hide.referer(x)) +
    optional(',"ua":', x.headers.get("user-agent")) +
    (x.upstream === "" ? "" : `,"upstream":${quote(x.upstream)}`) +
    (x.vars === undefined ? "" : optional(',"id":', idOf(x))) +
    (end.error === undefined ? "}" : `,"error":${JSON.stringify(String(end.error))}}`)
}

function optional(key: string, value: string | null): string {
  return value === null ? "" : key + quote(value)
}

/** JSON.stringify costs 60 ns even for short plain text; targets and addresses nearly always are. */
function quote(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 32 || c > 126 || c === 34 || c === 92) return JSON.stringify(text)
  }
  return '"' + text + '"'
}

/** An object with these fields only, in this order; one that has no value is left out. */
function fieldsLine(fields: readonly string[], hide: Hide): Line {
  const reads = fields.map(name => [JSON.stringify(name) + ":", read(name, hide)] as const)
  return (x, end) => {
    let line = ""
    for (const [key, of] of reads) {
      const value = of(x, end)
      if (value === null || value === "") continue
      line += (line === "" ? "" : ",") + key + (typeof value === "number" ? String(value) : quote(value))
    }
    return `{${line}}`
  }
}

/** The Common and the Combined Log Format of Apache's mod_log_config. */
function commonLine(hide: Hide, combined: boolean): Line {
  return (x, end) => {
    const request = `${x.method} ${hide.target(x)} HTTP/${x.httpVersion}`
    const user = x.vars === undefined ? "-" : String(x.vars.get("user") ?? "-").replaceAll(/[^\x21\x23-\x5b\x5d-\x7e]/g, "_")
    const line = `${hide.ip(x)} - ${user} [${nowCommon()}] "${escape(request)}" ${end.status} ${end.bytesOut === 0 ? "-" : end.bytesOut}`
    return combined ? `${line} "${escape(hide.referer(x) ?? "-")}" "${escape(x.headers.get("user-agent") ?? "-")}"` : line
  }
}

/** As mod_log_config does: quotes and backslashes with a backslash, the unprintable as \xhh. */
function escape(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/["\\\u0000-\u001f\u007f-\uffff]/g, c =>
    c === '"' || c === "\\" ? "\\" + c : "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0"),
  )
}

/** `{ip} {method} ...`: values are escaped, so that no client writes a line of its own. */
function templateLine(format: string, hide: Hide): Line {
  const pieces = format.split(/(\{[^{}]*\})/).map(piece => (piece.startsWith("{") ? read(piece.slice(1, -1), hide) : piece))
  return (x, end) => {
    let line = ""
    for (const piece of pieces) {
      if (typeof piece === "string") line += piece
      else {
        const value = piece(x, end)
        line += value === null || value === "" ? "-" : typeof value === "number" ? String(value) : escape(value)
      }
    }
    return line
  }
}

function idOf(x: Exchange): string | null {
  return readVar(x, "request_id")
}

function readVar(x: Exchange, name: string): string | null {
  const value = x.vars?.get(name)
  return value === undefined || value === null ? null : String(value)
}

const plainReads: Readonly<Record<string, Read>> = {
  ts: () => nowIso(),
  time: () => nowCommon(),
  peer: x => x.conn.peer,
  port: x => x.conn.peerPort,
  method: x => x.method,
  host: x => x.host,
  path: x => x.path,
  http: x => x.httpVersion,
  scheme: x => x.scheme,
  status: (_, end) => end.status,
  bytes: (_, end) => end.bytesOut,
  ms: (_, end) => Math.round(end.ms * 100) / 100,
  ua: x => x.headers.get("user-agent"),
  id: idOf,
  user: x => readVar(x, "user"),
  upstream: x => x.upstream,
  error: (_, end) => (end.error === undefined ? null : String(end.error)),
  sni: x => x.tls?.sni ?? null,
  tls: x => x.tls?.version ?? null,
}

function read(name: string, hide: Hide): Read {
  const plain = plainReads[name]
  if (plain !== undefined) return plain
  if (name === "ip") return hide.ip
  if (name === "target") return hide.target
  if (name === "query") return hide.query
  if (name === "referer") return hide.referer
  const dot = name.indexOf(".")
  const what = name.slice(0, dot)
  const of = name.slice(dot + 1)
  if (what === "var") return x => readVar(x, of)
  if (secret.has(of.toLowerCase()) && what !== "cookie") return () => "***"
  if (what === "header") return x => x.headers.get(of)
  if (what === "answer") return (_, end) => end.headers?.get(of) ?? null
  return x => cookie(x, of)
}

function cookie(x: Exchange, name: string): string | null {
  const list = x.headers.get("cookie") ?? ""
  const pair = list.split(";").find(one => one.slice(0, Math.max(one.indexOf("="), 0)).trim() === name)
  return pair === undefined ? null : pair.slice(pair.indexOf("=") + 1).trim()
}
