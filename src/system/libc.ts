/**
 * The few calls of the C library that Bun has no wrapper for: making a listening socket with a backlog, a mode and an
 * owner of our own (Bun.listen ignores `backlog`, and a socket that it made cannot be handed to children).
 */
import { dlopen, FFIType, ptr, read } from "bun:ffi"
import { libraryNames } from "./c-library.ts"

const darwin = process.platform === "darwin"

/** The constants of <sys/socket.h> and <netinet/in.h> that differ between systems. */
export const C = darwin
  ? { AF_UNIX: 1, AF_INET: 2, AF_INET6: 30, SOL_SOCKET: 0xffff, SO_REUSEADDR: 4, SO_ACCEPTCONN: 2, IPV6_V6ONLY: 27, SUN_PATH: 104 }
  : { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, SOL_SOCKET: 1, SO_REUSEADDR: 2, SO_ACCEPTCONN: 30, IPV6_V6ONLY: 26, SUN_PATH: 108 }
export const IPPROTO_IPV6 = 41

const SOCK_STREAM = 1
const SOCK_DGRAM = 2
/** A receiver that is gone must not end us. */
const MSG_NOSIGNAL = darwin ? 0 : 0x4000
/** Linux sets both in the call of socket(); on macOS Bun sets them when it adopts or spawns. */
const SOCK_FLAGS = darwin ? 0 : 0o4000 | 0o2000000
const F_SETFD = 2
const FD_CLOEXEC = 1

const i32 = FFIType.i32
const pointer = FFIType.ptr
const calls = {
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, i32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  close: { args: [i32], returns: i32 },
  sendto: { args: [i32, pointer, FFIType.u64, i32, pointer, i32], returns: FFIType.i64 },
  setsockopt: { args: [i32, i32, i32, pointer, i32], returns: i32 },
  getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
  getsockname: { args: [i32, pointer, pointer], returns: i32 },
  execve: { args: [pointer, pointer, pointer], returns: i32 },
  setpriority: { args: [i32, i32, i32], returns: i32 },
  setrlimit: { args: [i32, pointer], returns: i32 },
} as const

type Libc = ReturnType<typeof openLibrary>
let library: Libc | undefined
const libc = (): Libc => (library ??= openLibrary())

function openLibrary() {
  const errors: unknown[] = []
  for (const name of libraryNames()) {
    try {
      if (darwin) {
        const { __error, ...rest } = dlopen(name, { ...calls, __error: { args: [], returns: pointer } }).symbols
        return { ...rest, fcntl: undefined, location: __error }
      }
      const { __errno_location, fcntl, ...rest } = dlopen(name, {
        ...calls,
        fcntl: { args: [i32, i32, i32], returns: i32 },
        __errno_location: { args: [], returns: pointer },
      }).symbols
      return { ...rest, fcntl, location: __errno_location }
    } catch (error) {
      errors.push(error)
    }
  }
  throw new AggregateError(errors, `no C library found (tried ${libraryNames().join(", ")})`)
}

/** A failed call: `code` is the symbolic name ("EADDRINUSE") where it is one that listening gives. */
export class SystemError extends Error {
  override readonly name = "SystemError"
  readonly code: string
  constructor(
    readonly call: string,
    readonly errno: number,
  ) {
    const [code, text] = (darwin ? DARWIN : LINUX)[errno] ?? [`errno ${errno}`, `error number ${errno}`]
    super(text)
    this.code = code
  }
}

const EACCES = ["EACCES", "permission denied"] as const
const EADDRINUSE = ["EADDRINUSE", "address already in use"] as const
const EADDRNOTAVAIL = ["EADDRNOTAVAIL", "this machine has no such address"] as const
const EAFNOSUPPORT = ["EAFNOSUPPORT", "this machine does not support that kind of address"] as const
const COMMON = {
  1: ["EPERM", "operation not permitted"],
  2: ["ENOENT", "no such folder"],
  13: EACCES,
  20: ["ENOTDIR", "a part of the path is not a folder"],
  22: ["EINVAL", "invalid argument"],
  23: ["ENFILE", "the system is out of file descriptors"],
  24: ["EMFILE", "out of file descriptors (ulimit -n)"],
  28: ["ENOSPC", "no space left"],
  30: ["EROFS", "read-only file system"],
} as const
type Codes = Record<number, readonly [string, string]>
const LINUX: Codes = { ...COMMON, 97: EAFNOSUPPORT, 98: EADDRINUSE, 99: EADDRNOTAVAIL }
const DARWIN: Codes = { ...COMMON, 47: EAFNOSUPPORT, 48: EADDRINUSE, 49: EADDRNOTAVAIL }

/** errno is read before any other native call can change it. */
function check(call: string, result: number): number {
  if (result >= 0) return result
  throw new SystemError(call, read.i32(libc().location()!, 0))
}

/** A new stream socket: non-blocking, closed on exec. Returns its descriptor. */
export const socket = (family: number): number => check("socket", libc().socket(family, SOCK_STREAM | SOCK_FLAGS, 0))

export const bind = (fd: number, address: Uint8Array): number => check("bind", libc().bind(fd, ptr(address), address.length))

export const listen = (fd: number, backlog: number): number => check("listen", libc().listen(fd, backlog))

export const close = (fd: number): void => void libc().close(fd)

/** A socket for `sendDatagram`. */
export const datagramSocket = (): number => check("socket", libc().socket(C.AF_UNIX, SOCK_DGRAM | SOCK_FLAGS, 0))

/** One datagram to a unix socket; "@" at the start of its name means Linux's abstract ones. */
export function sendDatagram(fd: number, path: string, text: string): void {
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : path)
  const address = new Uint8Array(2 + name.length + (name[0] === 0 ? 0 : 1))
  address[darwin ? 1 : 0] = C.AF_UNIX
  address.set(name, 2)
  const bytes = Buffer.from(text)
  check("sendto", Number(libc().sendto(fd, ptr(bytes), bytes.length, MSG_NOSIGNAL, ptr(address), address.length)))
}

export function setOption(fd: number, level: number, option: number, value: number): void {
  check("setsockopt", libc().setsockopt(fd, level, option, ptr(new Int32Array([value])), 4))
}

export function getOption(fd: number, level: number, option: number): number {
  const value = new Int32Array(1)
  check("getsockopt", libc().getsockopt(fd, level, option, ptr(value), ptr(new Int32Array([4]))))
  return value[0]!
}

/** The sockaddr that a descriptor is bound to. */
export function boundTo(fd: number): Uint8Array {
  const address = new Uint8Array(128)
  const length = new Int32Array([address.length])
  check("getsockname", libc().getsockname(fd, ptr(address), ptr(length)))
  return address.subarray(0, length[0])
}

/** Undoes the flag that Bun sets on every descriptor it inherits, for a program that takes our place. */
export function keepOnExec(fd: number): void {
  const fcntl = libc().fcntl
  if (fcntl !== undefined) check("fcntl", fcntl(fd, F_SETFD, 0))
}

/** This process becomes the program at `file`. process.execve closes all descriptors above 2; this keeps what may be kept. */
export function execute(file: string, argv: readonly string[], env: Readonly<Record<string, string | undefined>>): never {
  const keep: Buffer[] = []
  const text = (value: string): number => {
    const bytes = Buffer.from(`${value}\0`)
    keep.push(bytes)
    return ptr(bytes)
  }
  const list = (values: readonly string[]): BigUint64Array => BigUint64Array.from([...values.map(text), 0], BigInt)
  const variables = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
  const [argvList, envList] = [list(argv), list(variables)]
  check("execve", libc().execve(text(file) as never, ptr(argvList), ptr(envList)))
  throw new Error(`execve of ${file} returned, with ${keep.length} strings`)
}

/** Scheduling priority of this process, -20 (first) to 19 (last). Below its present one only with rights. */
export function setNice(nice: number): void {
  const PRIO_PROCESS = 0
  name(() => check("setpriority", libc().setpriority(PRIO_PROCESS, 0, nice)), `nice ${nice}`)
}

/** Numbers of <sys/resource.h>. */
const RLIMITS: Readonly<Record<string, number>> = darwin
  ? { cpu: 0, fsize: 1, data: 2, stack: 3, core: 4, as: 5, memlock: 6, nproc: 7, nofile: 8 }
  : { cpu: 0, fsize: 1, data: 2, stack: 3, core: 4, nproc: 6, nofile: 7, memlock: 8, as: 9 }

/** Soft and hard alike. Above the present hard limit only with rights. */
export function setResourceLimit(resource: string, value: number): void {
  const both = BigUint64Array.of(BigInt(value), BigInt(value))
  name(() => check("setrlimit", libc().setrlimit(RLIMITS[resource]!, ptr(both))), `rlimits.${resource} = ${value}`)
}

function name(run: () => void, what: string): void {
  try {
    run()
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error })
  }
}

/** Descriptors that were handed to us come without the flag, and would leak into every child. */
export function closeOnExec(fd: number): void {
  const fcntl = libc().fcntl
  if (fcntl !== undefined) check("fcntl", fcntl(fd, F_SETFD, FD_CLOEXEC))
}
