import { statSync } from "node:fs"
import { resolve } from "node:path"

/** How a process starts another of its own kind: the executable itself, or bun with the script that was started. */
export function selfArgv(command: string): string[] {
  return compiled() ? [ourExecutable(), command] : [process.execPath, ...sourceFlags, Bun.main, command]
}

/**
 * An app.tsx without a tsconfig.json means hono/jsx, and an import that is not there is an error: Bun would fetch the package
 * from the network. The executable has these built in.
 */
const sourceFlags = ["--no-install", "--jsx-runtime=automatic", "--jsx-import-source=hono/jsx"]

/** Not by its path: an upgrade may have put another file there, and its fronts would not fit this supervisor. */
function ourExecutable(): string {
  return process.platform === "linux" ? "/proc/self/exe" : process.execPath
}

/**
 * The path that edge was started by, links as they were written: after an upgrade the new executable stands there (a file
 * renamed into place, `current -> v2`). Asked at the start, as /proc/self/exe is "... (deleted)" after it; a made-up argv[0]
 * (exec -a) names another file, and then the executable's own path is taken.
 */
export function startPath(argv0 = process.argv0): string {
  const own = process.execPath
  if (!compiled()) return own
  const found = argv0.includes("/") ? resolve(argv0) : Bun.which(argv0)
  return found !== null && isSameFile(found, own) ? found : own
}

function isSameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)]
    return a.ino === b.ino && a.dev === b.dev
  } catch {
    return false
  }
}

/** Modules of a compiled executable live in a file system of its own. */
export function compiled(): boolean {
  return Bun.main.startsWith("/$bunfs/") || Bun.main.startsWith("B:\\~BUN\\")
}

/**
 * Variables that would turn the executable into the bun command line or load code into it (BUN_BE_BUN, BUN_OPTIONS),
 * that speak of our own descriptors, or that open the keys of certificates: an app's worker must not see them.
 */
const PRIVATE = new Set(
  (
    "BUN_OPTIONS BUN_BE_BUN NODE_OPTIONS NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE " +
    "LISTEN_FDS LISTEN_PID LISTEN_FDNAMES NOTIFY_SOCKET WATCHDOG_PID WATCHDOG_USEC EDGE_HANDOVER EDGE_TLS_SECRET"
  ).split(" "),
)

export function cleanEnv(env: Readonly<Record<string, string | undefined>> = process.env): Record<string, string> {
  const clean: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !PRIVATE.has(name)) clean[name] = value
  }
  return clean
}
