/** What foreign configs say in other words. */
import type { Value } from "./site.ts"

/** ":8000", "0.0.0.0:80", "localhost:8000", "unix:/run/x.sock", "/run/x.sock" */
export function listenAddress(text: string): string {
  if (text.startsWith("unix:")) return `unix:${text.slice(5).replace(/^\/\/\//, "/")}`
  if (text.startsWith("/") || text.endsWith(".sock")) return `unix:${text}`
  if (text.startsWith("${")) return text
  const [, host = "", port = "8000"] = /^(?:tcp:\/\/)?(\[[^\]]*\]|[^:]*)(?::(.+))?$/.exec(text) ?? []
  const known = { "": "0.0.0.0", "*": "0.0.0.0", localhost: "127.0.0.1" }[host]
  return `${known ?? host}:${port}`
}

/** A duration: what is a number of seconds there; a variable is given its unit. */
export function seconds(value: Value): string {
  if (typeof value === "number") return Number.isInteger(value) ? `${value}s` : `${Math.round(value * 1000)}ms`
  const text = String(value)
  return /^\d+$/.test(text) || text.startsWith("${") ? `${text}s` : text
}

/** A name for `[app.NAME]` of "shop.wsgi:application". */
export function nameOf(value: Value): string {
  return (String(value).split(/[.:/ ]/)[0] ?? "").replaceAll(/[^\w-]/g, "") || "app"
}
