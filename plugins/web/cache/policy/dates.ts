import { parseHttpDate } from "edge"

/** Unix seconds of an HTTP-date in any case of letters: caches should not mind (RFC 9111 4.2). */
export function parseDate(text: string): number | null {
  return parseHttpDate(text) ?? parseHttpDate(text.toLowerCase().replaceAll(/[a-z]+/g, word => (word === "gmt" ? "GMT" : word[0]!.toUpperCase() + word.slice(1))))
}
