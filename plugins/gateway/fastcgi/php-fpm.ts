import { accessSync, constants, readdirSync } from "node:fs"
import { join } from "node:path"

/** The newest PHP-FPM of this machine ("php-fpm" or Debian's "php-fpm8.2"); undefined when there is none. */
export function findPhpFpm(path = process.env["PATH"] ?? ""): string | undefined {
  // Debian puts it where a user's PATH does not lead.
  const folders = [...new Set([...path.split(":"), "/usr/sbin", "/usr/local/sbin"])].filter(folder => folder !== "")
  const found = folders.flatMap(folder => {
    try {
      return readdirSync(folder).filter(name => /^php-fpm[0-9.]*$/.test(name)).map(name => join(folder, name))
    } catch {
      return []
    }
  })
  return found.filter(isExecutable).toSorted((a, b) => version(b) - version(a))[0]
}

/** A name without a version is what the administrator chose. */
function version(path: string): number {
  const digits = /php-fpm([0-9.]+)$/.exec(path)?.[1]
  return digits === undefined ? Infinity : Number(digits)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export interface PhpFpmOptions {
  readonly processes: number
  readonly timeoutMs: number
  readonly ini: Readonly<Record<string, string>>
  readonly extensions: readonly string[]
  readonly asRoot: boolean
}

/**
 * Its config: one pool of as many processes as the app has slots, started as they are needed. `ini` are settings of PHP
 * that scripts cannot change; `timeoutMs` ends a script that edge has already answered 504 for; 0 for none.
 */
export function phpFpmConfig(o: PhpFpmOptions): string {
  const spare = Math.min(2, o.processes)
  const lines = [
    "[global]",
    "daemonize = no",
    // With -O it speaks on stderr as well, which a user without rights could not open by name.
    "error_log = /dev/null",
    "log_level = warning",
    "log_limit = 16384",
    "[edge]",
    // Replaced from the environment by PHP-FPM itself: each start has a socket of its own.
    "listen = ${EDGE_SOCKET}",
    "listen.backlog = 511",
    "pm = dynamic",
    `pm.max_children = ${o.processes}`,
    `pm.start_servers = ${spare}`,
    "pm.min_spare_servers = 1",
    `pm.max_spare_servers = ${o.processes}`,
    "catch_workers_output = yes",
    "decorate_workers_output = no",
    "clear_env = no",
    `security.limit_extensions = ${o.extensions.join(" ")}`,
  ]
  if (o.asRoot) lines.push("user = root", "group = root")
  if (o.timeoutMs > 0) lines.push(`request_terminate_timeout = ${Math.ceil(o.timeoutMs / 1000) + 1}s`)
  for (const [name, value] of Object.entries(o.ini)) lines.push(`php_admin_value[${name}] = ${quote(value)}`)
  return `${lines.join("\n")}\n`
}

function quote(value: string): string {
  return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
