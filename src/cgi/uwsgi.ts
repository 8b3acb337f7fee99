/** The request packet of the uwsgi protocol: modifier1, size (16 bits, little-endian), modifier2, then the variables. */
import { HttpError } from "../http/message/errors.ts"

/** Throws HttpError 431 when the variables are more than a packet holds. */
export function uwsgiPacket(params: readonly string[], { modifier1 }: { modifier1: number }): Buffer {
  let size = 0
  for (const text of params) size += 2 + text.length
  if (size > 65_535) throw new HttpError(431, "the head of the request is too large for uwsgi")
  const bytes = Buffer.allocUnsafe(4 + size)
  bytes[0] = modifier1
  bytes.writeUInt16LE(size, 1)
  bytes[3] = 0
  let at = 4
  for (const text of params) {
    at = bytes.writeUInt16LE(text.length, at)
    at += bytes.latin1Write(text, at)
  }
  return bytes
}
