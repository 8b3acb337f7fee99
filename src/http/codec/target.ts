import { HeadError } from "./header-block.ts"
import { parseHost } from "./host.ts"

/**
 * 1 for a byte that a target may hold, in every version of HTTP: no control, no space, no "#" (RFC 9112, 3.2 has no
 * fragment; a server behind us would cut it off). Bytes above 0x7F are taken: PHP and node clients send UTF-8 as it is.
 */
export const isTarget = new Uint8Array(256).fill(1)
for (let c = 0; c <= 32; c++) isTarget[c] = 0
isTarget[127] = isTarget["#".charCodeAt(0)] = 0

/** What RFC 3986 has for a byte above 0x7F: everybody behind us, logs and caches get only that. `text` is Latin-1. */
export function escapeHigh(text: string): string {
  return text.replace(/[\x80-\xff]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** A target that came as one value (HTTP/2's :path). Throws HeadError 400. */
export function checkTarget(method: string, target: string): string {
  for (let i = 0; i < target.length; i++) {
    if (isTarget[target.charCodeAt(i)] !== 1) throw new HeadError(400, "a forbidden byte in the target")
  }
  if (target.charCodeAt(0) !== 47 && (target !== "*" || method !== "OPTIONS")) throw new HeadError(400, "a target of no known form")
  return escapeHigh(target)
}

/** authority-form (RFC 9112, 3.2.3): CONNECT and nothing else. Throws HeadError 400. */
export function checkAuthority(target: string): void {
  if (parseHost(target) === null || !/:\d+$/.test(target)) throw new HeadError(400, "CONNECT without host:port")
}
