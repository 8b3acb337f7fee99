/** sendfile(2) of Linux: bytes of a file go to a socket without passing through this process. */
import { dlopen, FFIType, ptr } from "bun:ffi"
import { libraryNames } from "../../../system/c-library.ts"

const { i32, i64_fast, u64_fast } = FFIType
const signature = { sendfile: { args: [i32, i32, FFIType.ptr, u64_fast], returns: i64_fast } } as const

/** Other systems have a call of this name with other arguments. */
export const canSendFiles = process.platform === "linux"

let call: ReturnType<typeof open> | undefined
function open() {
  for (const name of libraryNames()) {
    try {
      return dlopen(name, signature).symbols.sendfile
    } catch {
      // The next name.
    }
  }
  return () => -1
}

/** The offset of the call, a 64-bit integer: the place in the file is given, and the descriptor's own is left alone. */
const offset = new Uint32Array(2)

/** Bytes sent; 0 when the socket takes none or the call cannot serve these descriptors: then a write tells which it is. */
export function sendFile(socket: number, { file, at, size }: { file: number; at: number; size: number }): number {
  if (socket < 0) return 0
  offset[0] = at >>> 0
  offset[1] = Math.floor(at / 0x1_0000_0000)
  return Math.max(0, Number((call ??= open())(socket, file, ptr(offset), size)))
}
