/** What an HTTP/2 client sends first (RFC 9113, 3.4). */
export const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/** Starts with the preface, whole: clients send it in one piece with their settings. */
export function isPreface(chunk: Buffer): boolean {
  return chunk.length >= preface.length && chunk.latin1Slice(0, preface.length) === preface
}
