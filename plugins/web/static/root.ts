/** The folder that is served, and the rules of what in it may be. */
import { closeSync, constants, fstatSync, openSync, readlinkSync, realpathSync, statSync } from "node:fs"
import { sep } from "node:path"
import { HttpError, textOfPath } from "edge"

/** What tells one state of a file from another; ctime, because `touch -d` cannot set it back. */
export interface Stamp {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

export interface OpenFile {
  readonly fd: number
  readonly stamp: Stamp
}

export interface RootOptions {
  readonly hidden: boolean
  readonly symlinks: "inside" | "all" | "none"
}

const windows = process.platform === "win32"
/** NONBLOCK: opening a FIFO would wait for a writer. */
const flags = windows ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

export class Root {
  readonly path: string
  readonly #options: RootOptions
  /** Where `path` leads now; it is often a link that a deployment moves ("current"). */
  #real: string | undefined

  constructor(path: string, options: RootOptions) {
    this.path = path.length > 1 && path.endsWith(sep) ? path.slice(0, -1) : path
    this.#options = options
  }

  /** Absolute name of a path in normal form (it begins with "/" and has no dot segments); null where none may be. */
  locate(path: string): string | null {
    // A name that C ends there: as nginx.
    if (path.includes("%00")) throw new HttpError(400, "a NUL in the name of a file")
    // %2F and the like: no file has them in its name, and "a%2F..%2Fb" would be a way out.
    const name = textOfPath(path)
    if (name === null || name.includes("\\") || name.includes("\0")) return null
    if (!this.#options.hidden && isHidden(name)) return null
    // Alternate streams, drives, devices, and names that Windows shortens.
    if (windows && (/[:*?"<>|~]|[. ](?:\/|$)/.test(name) || /\/(?:con|prn|aux|nul|com\d|lpt\d)(?:[./]|$)/i.test(name))) return null
    return this.path + name
  }

  stat(file: string): { stamp: Stamp; kind: "file" | "folder" } | null {
    try {
      const found = statSync(file, { bigint: true, throwIfNoEntry: false })
      if (found === undefined) return null
      if (found.isFile()) return { stamp: found, kind: "file" }
      return found.isDirectory() ? { stamp: found, kind: "folder" } : null
    } catch (error) {
      return absent(error)
    }
  }

  /**
   * Opens first and then asks where the descriptor leads, so that no link can be put in between
   * (a check of the name before the open is the race this avoids). Null where it is absent or may not be served.
   */
  open(file: string): OpenFile | null {
    let fd: number
    try {
      fd = openSync(file, flags)
    } catch (error) {
      return absent(error)
    }
    try {
      const stamp = fstatSync(fd, { bigint: true })
      if (stamp.isFile() && this.#mayServe(fd, { file, stamp })) return { fd, stamp }
    } catch (error) {
      closeSync(fd)
      return absent(error)
    }
    closeSync(fd)
    return null
  }

  /** True where a folder may be listed: the same rules as for a file. */
  mayList(folder: string): boolean {
    try {
      return this.mayShow(realpathSync(folder), folder)
    } catch (error) {
      return absent(error) !== null
    }
  }

  /** True where a name that leads to `real` may be in a listing. */
  mayShow(real: string, file: string): boolean {
    return this.#options.symlinks === "all" || this.#inside(real, file)
  }

  #mayServe(fd: number, { file, stamp }: { file: string; stamp: Stamp }): boolean {
    if (this.#options.symlinks === "all") return true
    if (process.platform === "linux") return this.#inside(readlinkSync(`/proc/self/fd/${fd}`), file)
    const real = realpathSync(file)
    const now = statSync(real, { bigint: true })
    return now.ino === stamp.ino && now.dev === stamp.dev && this.#inside(real, file)
  }

  #inside(real: string, file: string): boolean {
    if (this.#real !== undefined && this.#leads(real, { file, root: this.#real })) return true
    this.#real = realpathSync(this.path)
    return this.#leads(real, { file, root: this.#real })
  }

  #leads(real: string, { file, root }: { file: string; root: string }): boolean {
    const below = root.endsWith(sep) ? root : root + sep
    if (real !== root && !real.startsWith(below)) return false
    const plain = real === root + trimSlash(file.slice(this.path.length))
    if (this.#options.symlinks === "none") return plain
    // A link may lead to a hidden file inside root: `pages -> .git`.
    return plain || this.#options.hidden || !isHidden(`/${real.slice(below.length)}`)
  }
}

function trimSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path
}

/** `.git/config`, `.env`; `/.well-known/` is there to be served (RFC 8615). */
export function isHidden(path: string): boolean {
  const at = path.indexOf("/.", path.startsWith("/.well-known/") ? 1 : 0)
  return at >= 0
}

/** Null for what is simply not there; throws what an operator must know of. */
function absent(error: unknown): null {
  switch ((error as { code?: string }).code) {
    case "ENOENT":
    case "ENOTDIR":
    case "ELOOP":
    case "ENAMETOOLONG":
    case "ENXIO":
    case "EINVAL":
      return null
    case "EACCES":
    case "EPERM":
      throw new HttpError(403, "permission denied", { cause: error })
    case "EMFILE":
    case "ENFILE":
      throw new HttpError(503, "no file descriptor is free", { cause: error, headers: [["Retry-After", "1"]] })
    default:
      throw error
  }
}
