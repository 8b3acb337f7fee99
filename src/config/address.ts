import { isIPv4, isIPv6 } from "../system/ip.ts"

/**
 * `127.0.0.1:8080`, `[::]:80`, `localhost:80`, `:80`, `*:80`, `unix:run/x.sock`. Host names are not taken: which
 * address they mean could change between two starts. `http://ADDRESS` says that it is plain (config.md, Sites).
 */
export function isAddress(text: string): boolean {
  const plain = text.startsWith("http://") ? text.slice(7) : text
  if (plain.startsWith("unix:")) return plain.length > 5 && !plain.includes("\0")
  const [, v6, host = "", port = ""] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(plain) ?? []
  if (port === "" || Number(port) > 65535) return false
  return v6 === undefined ? ["", "*", "localhost"].includes(host) || isIPv4(host) : isIPv6(v6)
}
