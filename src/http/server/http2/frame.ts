/** Frames of HTTP/2 (RFC 9113, 4.1 and 6). */
export const enum Type {
  Data,
  Headers,
  Priority,
  Reset,
  Settings,
  PushPromise,
  Ping,
  GoAway,
  WindowUpdate,
  Continuation,
}

export const enum Flag {
  EndStream = 1,
  EndHeaders = 4,
  Padded = 8,
  Priority = 32,
}

/** RFC 9113, 7. */
export const enum ErrorCode {
  None,
  Protocol,
}

export const frameHead = 9
/** What Bun takes (SETTINGS_MAX_FRAME_SIZE is left at its default). */
export const maxFrame = 16_384

export interface FrameHead {
  readonly length: number
  readonly type: Type
  readonly flags: number
  readonly stream: number
}

export function readFrameHead(bytes: Uint8Array, at: number): FrameHead {
  return {
    length: (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!,
    type: bytes[at + 3]!,
    flags: bytes[at + 4]!,
    stream: ((bytes[at + 5]! & 127) << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!,
  }
}

export function frame({ type, flags, stream }: Omit<FrameHead, "length">, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(frameHead + payload.length)
  bytes[1] = payload.length >> 8
  bytes[2] = payload.length & 255
  bytes[0] = payload.length >> 16
  bytes[3] = type
  bytes[4] = flags
  bytes[5] = stream >>> 24
  bytes[6] = (stream >> 16) & 255
  bytes[7] = (stream >> 8) & 255
  bytes[8] = stream & 255
  bytes.set(payload, frameHead)
  return bytes
}

/** Four bytes, as WINDOW_UPDATE and RST_STREAM have them. */
export function number32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255)
}
