/** Where this machine keeps the authorities that it trusts. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"

export interface TrustStore {
  readonly name: string
  /** Why it could not be; undefined when it was. */
  install(root: string): string | undefined
}

const NAME = "edge-local-authority"

/** Of Debian, Red Hat and Arch: a folder, and the program that makes bundles of it. */
const systems = [
  { file: `/usr/local/share/ca-certificates/${NAME}.crt`, program: ["update-ca-certificates"] },
  { file: `/etc/pki/ca-trust/source/anchors/${NAME}.pem`, program: ["update-ca-trust"] },
  { file: `/etc/ca-certificates/trust-source/anchors/${NAME}.pem`, program: ["trust", "extract-compat"] },
]

/** Those that are here: of the system, and of Chromium and Firefox (NSS) where certutil is. */
export function trustStores(): readonly TrustStore[] {
  const found: TrustStore[] = systems
    .filter(({ file, program }) => existsSync(dirname(file)) && Bun.which(program[0]!) !== null)
    .map(({ file, program }) => ({ name: `the system (${dirname(file)})`, install: root => attempt(() => writeFileSync(file, root, { mode: 0o644 })) ?? runs(program) }))
  const databases = nssDatabases()
  if (databases.length === 0) return found
  if (Bun.which("certutil") === null) return [...found, { name: "browsers (NSS)", install: () => "certutil is not there (Debian: libnss3-tools)" }]
  return [...found, ...databases.map(folder => ({ name: `browsers (${folder})`, install: (root: string) => addToNss(folder, root) }))]
}

/** Chromium's, made when Chromium has not run yet, and that of each profile of Firefox. */
function nssDatabases(): string[] {
  const home = homedir()
  const shared = join(home, ".pki", "nssdb")
  const chromium = existsSync(shared) || ["chromium", "google-chrome", "chromium-browser"].some(name => Bun.which(name) !== null) ? [shared] : []
  const profiles = [join(home, ".mozilla", "firefox"), join(home, "snap/firefox/common/.mozilla/firefox")].filter(folder => existsSync(folder))
  const firefox = profiles.flatMap(folder => readdirSync(folder).map(name => join(folder, name))).filter(folder => existsSync(join(folder, "cert9.db")))
  return [...chromium, ...firefox]
}

function addToNss(folder: string, root: string): string | undefined {
  const database = `sql:${folder}`
  if (!existsSync(join(folder, "cert9.db"))) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const made = runs(["certutil", "-N", "-d", database, "--empty-password"])
    if (made !== undefined) return made
  }
  return runs(["certutil", "-A", "-d", database, "-n", NAME, "-t", "C,,"], root)
}

function runs(argv: readonly string[], input?: string): string | undefined {
  const { success, stderr, stdout } = Bun.spawnSync([...argv], { stdin: input === undefined ? "ignore" : Buffer.from(input), stdout: "pipe", stderr: "pipe" })
  return success ? undefined : `${argv[0]} failed: ${(stderr.toString() || stdout.toString()).trim().slice(-300)}`
}

function attempt(write: () => void): string | undefined {
  try {
    write()
    return undefined
  } catch (error) {
    return `cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)}): run it as root`
  }
}
