/** The listening sockets. The supervisor owns them; fronts only accept, so that any of them can be replaced. */
import { chmodSync, lchownSync, lstatSync, readdirSync, readFileSync, readlinkSync, unlinkSync } from "node:fs"
import type { Address } from "./address.ts"
import { fromSockaddr, parseAddress, toSockaddr } from "./address.ts"
import { bind, boundTo, C, close, IPPROTO_IPV6, listen, setOption, socket, SystemError } from "../../system/libc.ts"

/** Connections that wait while no front accepts, as during a replacement. The kernel's own limit is somaxconn. */
const BACKLOG = 4096

export interface ListeningSocket {
  /** As in the config; the key by which a reload finds it again. */
  readonly address: string
  readonly fd: number
  /** The real one, also where the config says 0; 0 for unix sockets. */
  readonly port: number
  /** Of unix sockets that are ours (not systemd's): who may connect. */
  setMode?(mode: number): void
  /** The address is given up: a unix socket's name goes too. */
  close(): void
}

export interface SocketOptions {
  /** Folder that relative unix paths start from. */
  readonly dir: string
  /** Of unix sockets; default 0660. */
  readonly mode?: number
  /** Of unix sockets. */
  readonly owner?: { readonly uid: number; readonly gid: number }
}

export class ListenError extends Error {
  override readonly name = "ListenError"
  constructor(
    /** As in the config. */
    readonly address: string,
    message: string,
    options: { cause: unknown },
  ) {
    super(message, options)
  }
}

/** Binds and listens. A ListenError says which address, why, and who has it. */
export async function openSocket(text: string, options: SocketOptions): Promise<ListeningSocket> {
  let address: Address | undefined
  try {
    address = parseAddress(text, options.dir)
    return address.kind === "unix" ? await openUnix(text, address.path, options) : openTcp(text, address)
  } catch (error) {
    const holder = error instanceof SystemError && error.code === "EADDRINUSE" && address !== undefined ? holderOf(address) : ""
    const why = error instanceof Error ? error.message : String(error)
    throw new ListenError(text, `cannot listen on ${text}: ${why}${holder}`, { cause: error })
  }
}

function openTcp(text: string, address: Address & { kind: "tcp" }): ListeningSocket {
  const v6 = address.ip.includes(":")
  const fd = socket(v6 ? C.AF_INET6 : C.AF_INET)
  try {
    setOption(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1)
    // "[::]" is dual stack, whatever net.ipv6.bindv6only says.
    if (v6) setOption(fd, IPPROTO_IPV6, C.IPV6_V6ONLY, address.ip === "::" ? 0 : 1)
    bind(fd, toSockaddr(address))
    listen(fd, BACKLOG)
    const bound = fromSockaddr(boundTo(fd))
    return { address: text, fd, port: bound?.kind === "tcp" ? bound.port : address.port, close: () => close(fd) }
  } catch (error) {
    close(fd)
    throw error
  }
}

async function openUnix(text: string, path: string, options: SocketOptions): Promise<ListeningSocket> {
  await removeStale(path)
  const fd = listenUnix(path, options.mode ?? 0o660)
  try {
    if (options.owner !== undefined) lchownSync(path, options.owner.uid, options.owner.gid)
    const { ino } = lstatSync(path)
    return { address: text, fd, port: 0, setMode: mode => setMode(path, { ino, mode }), close: () => closeUnix(fd, path, ino) }
  } catch (error) {
    close(fd)
    unlinkSync(path)
    throw error
  }
}

/** The name may be somebody else's by now. */
function setMode(path: string, { ino, mode }: { ino: number; mode: number }): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat?.ino === ino && (stat.mode & 0o777) !== mode) chmodSync(path, mode)
}

/** A bound and listening unix socket; its mode holds from the first moment on. */
export function listenUnix(path: string, mode: number): number {
  const name = toSockaddr({ kind: "unix", path })
  const fd = socket(C.AF_UNIX)
  const umask = process.umask(0o777 & ~mode)
  try {
    bind(fd, name)
    listen(fd, BACKLOG)
    return fd
  } catch (error) {
    close(fd)
    throw error
  } finally {
    process.umask(umask)
  }
}

/**
 * Before the stop: connections that come now are not completed (the client asks again and is then refused), while those
 * in the queue can still be taken by the fronts. Closing at once would reset them unanswered.
 */
export function holdOff(socket: ListeningSocket): void {
  listen(socket.fd, 0)
}

/** The name is removed only while it is still ours: another server may have taken the path since. */
function closeUnix(fd: number, path: string, ino: number): void {
  try {
    if (lstatSync(path).ino === ino) unlinkSync(path)
  } catch {
    // Already gone.
  }
  close(fd)
}

/** Removes a socket file on which nobody answers; throws when somebody does, or when it is something else. */
export async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isSocket()) throw new Error("there is a file of that name, and it is not a socket")
  if (await answers(path)) throw new SystemError("bind", process.platform === "darwin" ? 48 : 98)
  unlinkSync(path)
}

/** Whether something accepts on a unix socket. A full backlog (EAGAIN) is somebody, too. */
export async function answers(path: string): Promise<boolean> {
  try {
    const connection = await Bun.connect({ unix: path, socket: { data() {}, error() {} } })
    connection.terminate()
    return true
  } catch (error) {
    const code = (error as { code?: string }).code
    return code !== "ECONNREFUSED" && code !== "ENOENT"
  }
}

/** A socket that another process made: systemd, whose it stays, or an older executable (USR2), from which it is ours. */
export function adoptSocket(text: string, fd: number, { ours }: { ours: boolean }): ListeningSocket {
  const bound = fromSockaddr(boundTo(fd))
  if (bound?.kind !== "unix") return { address: text, fd, port: bound?.port ?? 0, close: () => close(fd) }
  const ino = lstatSync(bound.path, { throwIfNoEntry: false })?.ino ?? -1
  return { address: text, fd, port: 0, ...(ours && { setMode: (mode: number) => setMode(bound.path, { ino, mode }) }), close: () => closeUnix(fd, bound.path, ino) }
}

/** " (by nginx, pid 812)" where /proc lets us see it, else "". Read only after a failure: it walks all processes. */
function holderOf(address: Address): string {
  if (process.platform !== "linux" || address.kind !== "tcp") return ""
  try {
    const inode = inodeOfPort(address.port)
    for (const pid of inode === undefined ? [] : readdirSync("/proc").filter(name => /^\d+$/.test(name))) {
      if (holds(pid, `socket:[${inode}]`)) return ` (by ${readFileSync(`/proc/${pid}/comm`, "utf8").trim()}, pid ${pid})`
    }
  } catch {
    // A process ended while we looked.
  }
  return ""
}

/** From /proc/net/tcp: columns are sl, local address, remote address, state (0A is LISTEN), ..., inode (9). */
function inodeOfPort(port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readFileSync(file, "utf8").split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/)
      if (columns[3] === "0A" && columns[1]?.endsWith(suffix)) return columns[9]
    }
  }
  return undefined
}

function holds(pid: string, link: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(fd => readlinkSync(`/proc/${pid}/fd/${fd}`) === link)
  } catch {
    return false
  }
}

