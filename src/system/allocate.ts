/**
 * Space for a file that is mapped. A file that was only made longer (ftruncate) has none yet: on a full disk the kernel
 * answers the first write to a mapped page with SIGBUS, which ends the process. Asked for here, a full disk is an error.
 */
import { dlopen, FFIType } from "bun:ffi"
import { ftruncateSync } from "node:fs"
import { libraryNames } from "./c-library.ts"

const EINVAL = 22
const ENOSPC = 28
const EOPNOTSUPP = 95

type Allocate = (fd: number, from: number, length: number) => number
let known: Allocate | undefined

/** Makes the file at least so long, what it has stays. Throws when the disk is full. */
export function allocate(fd: number, bytes: number): void {
  const result = (known ??= open())(fd, 0, bytes)
  if (result === 0) return
  if (result === ENOSPC) throw Object.assign(new Error("no space left on the disk"), { code: "ENOSPC" })
  // A file system that cannot promise space (some of the network's).
  if (result === EOPNOTSUPP || result === EINVAL) return ftruncateSync(fd, bytes)
  throw new Error(`space for a file cannot be had: error number ${result}`)
}

/** posix_fallocate(3) returns the error number itself. macOS has none. */
function open(): Allocate {
  if (process.platform !== "linux") return (fd, _, length) => (ftruncateSync(fd, length), 0)
  const { i32, i64 } = FFIType
  const errors: unknown[] = []
  for (const name of libraryNames()) {
    try {
      return dlopen(name, { posix_fallocate: { args: [i32, i64, i64], returns: i32 } }).symbols.posix_fallocate as Allocate
    } catch (error) {
      errors.push(error)
    }
  }
  throw new AggregateError(errors, `no C library found (tried ${libraryNames().join(", ")})`)
}
