// Plain Node: it runs before anything is installed. Brings a fresh machine to where Bun and the tests can run.
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const bun = join(root, "node_modules", ".bin", "bun")

/** npm packages: installed when missing or older than the lock file. */
export function ensurePackages() {
  const stamp = join(root, "node_modules", ".package-lock.json")
  const lock = join(root, "package-lock.json")
  if (!existsSync(stamp) || statSync(stamp).mtimeMs < statSync(lock).mtimeMs || !existsSync(bun)) {
    // Not `npm ci`: it refuses a lock file that lacks the optional packages of other platforms, which npm itself leaves out.
    console.log("installing npm packages (npm install)")
    run("npm", ["install", "--no-save", "--no-audit", "--no-fund"])
  }
  // npm may be told not to run install scripts; Bun's only puts its own binary in place.
  if (spawnSync(bun, ["--version"]).status !== 0) run(process.execPath, [join(root, "node_modules", "bun", "install.js")])
}

/** What the suites need from Debian: a program that tells whether the package is there, and the package. */
const debian = JSON.parse(readFileSync(join(root, "test", "needs.json"), "utf8"))

/** Installs what is missing when this is root on Debian; else says what would. Returns the missing packages. */
export function ensureDebian() {
  const missing = () => Object.entries(debian).filter(([, need]) => !need.files.some(file => existsSync(file)))
  const before = missing()
  if (before.length === 0) return []
  const packages = before.flatMap(([, need]) => need.packages)
  const command = `apt-get install -y --no-install-recommends ${packages.join(" ")}`
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    console.log(`these suites are skipped: ${before.map(([name]) => name).join(", ")}\nto enable them: sudo ${command}`)
    return before.map(([name]) => name)
  }
  console.log(`installing what the tests need: ${command}`)
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  // Packaged daemons must not start: the tests start their own on free ports.
  const policy = "/usr/sbin/policy-rc.d"
  const ours = !existsSync(policy)
  if (ours) execFileSync("sh", ["-c", `printf '#!/bin/sh\\nexit 101\\n' > ${policy} && chmod 755 ${policy}`])
  try {
    spawnSync("apt-get", ["update", "-qq"], { stdio: ["ignore", "ignore", "inherit"], env })
    const args = ["install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", ...packages]
    spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env })
  } finally {
    if (ours) execFileSync("rm", ["-f", policy])
  }
  const after = missing().map(([name]) => name)
  if (after.length > 0) console.log(`still missing: ${after.join(", ")}`)
  return after
}

export function run(command, args, options = {}) {
  const { status, signal } = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options })
  if (status !== 0) {
    console.error(`${[command, ...args].join(" ")} failed (${signal ?? status})`)
    process.exit(status ?? 1)
  }
}
