/** poll(2): whether the peer has closed its side, also while its bytes wait unread in front of that. */
import { dlopen, FFIType, ptr } from "bun:ffi"
import { libraryNames } from "../../../system/c-library.ts"

const signature = { poll: { args: [FFIType.ptr, FFIType.u64_fast, FFIType.i32], returns: FFIType.i32 } } as const

/** Bits of `events`; POLLRDHUP is Linux's alone. */
const POLLERR = 0x8
const POLLHUP = 0x10
const POLLRDHUP = 0x2000

let call: ((fds: number, count: number, timeoutMs: number) => number) | undefined
function open(): NonNullable<typeof call> {
  if (process.platform !== "linux") return () => 0
  for (const name of libraryNames()) {
    try {
      return dlopen(name, signature).symbols.poll as unknown as NonNullable<typeof call>
    } catch {
      // The next name.
    }
  }
  return () => 0
}

/** struct pollfd: int fd, short events, short revents. */
const pollfd = new Int32Array(2)

/** False where the system cannot say. */
export function peerClosed(fd: number): boolean {
  if (fd < 0) return false
  pollfd[0] = fd
  pollfd[1] = POLLRDHUP
  if ((call ??= open())(ptr(pollfd), 1, 0) <= 0) return false
  return ((pollfd[1]! >>> 16) & (POLLRDHUP | POLLHUP | POLLERR)) !== 0
}
