import { CLOSE, mayClose } from "./reader.ts"

/** A frame from a server, which masks nothing. `first` is the opcode, with 128 added when no more of the message follows. */
export function serverFrame(first: number, payload: Uint8Array): Buffer {
  const n = payload.length
  const head = n < 126 ? 2 : n < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(head + n)
  frame[0] = first
  frame[1] = n < 126 ? n : n < 65_536 ? 126 : 127
  if (head === 4) frame.writeUInt16BE(n, 2)
  else if (head === 10) frame.writeBigUInt64BE(BigInt(n), 2)
  frame.set(payload, head)
  return frame
}

/** What follows the opcode of a close: the code (big-endian) and at most 123 bytes of reason; nothing for 1005. */
export function closePayload(code: number, reason: Uint8Array | string = ""): Buffer {
  if (code === 1005) return Buffer.alloc(0)
  const text = typeof reason === "string" ? Buffer.from(reason) : reason
  let end = Math.min(123, text.length)
  // A character that is cut in two would be an error to the client.
  if (end < text.length) while (end > 0 && (text[end]! & 0xc0) === 0x80) end--
  const payload = Buffer.allocUnsafe(2 + end)
  payload.writeUInt16BE(code, 0)
  payload.set(text.subarray(0, end), 2)
  return payload
}

/** A code that an app gives may be one that no frame can carry: that is the app's error. */
export function closeFrame(code: number, reason: Uint8Array | string = ""): Buffer {
  return code === 1005 || mayClose(code) ? serverFrame(128 | CLOSE, closePayload(code, reason)) : serverFrame(128 | CLOSE, closePayload(1011))
}
