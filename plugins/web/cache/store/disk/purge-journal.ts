/** Purges beside the files they are about: a restart must not bring back what was purged. One line of JSON each. */
import { appendFile, readFile, rename, writeFile } from "node:fs/promises"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Logger } from "edge"
import type { Purge, Purges } from "../../purge/purges.ts"

export class Journal {
  readonly #path: string
  readonly #purges: Purges
  readonly #log: Logger

  constructor({ dir, purges, log }: { dir: string; purges: Purges; log: Logger }) {
    this.#path = join(dir, "purges.jsonl")
    this.#purges = purges
    this.#log = log
  }

  read(): void {
    let text = ""
    try {
      text = readFileSync(this.#path, "utf8")
    } catch {
      return
    }
    for (const purge of parse(text)) this.#purges.add(purge)
  }

  add(purge: Purge): void {
    appendFile(this.#path, `${JSON.stringify(purge)}\n`, { mode: 0o600 }).catch((error: unknown) => {
      this.#log.warn("a purge was not written down: a restart before the files are removed would bring them back", { error })
    })
  }

  /** What is still to be carried out. */
  async ids(): Promise<Set<string>> {
    return new Set(parse(await readFile(this.#path, "utf8").catch(() => "")).map(({ id }) => id))
  }

  /** Those up to `ms` were carried out on every file. What another front adds in this very moment may be lost with them. */
  async done(ms: number): Promise<void> {
    const text = await readFile(this.#path, "utf8").catch(() => "")
    if (text === "") return
    const left = parse(text).filter(purge => purge.ms > ms)
    await writeFile(`${this.#path}.new`, left.map(purge => `${JSON.stringify(purge)}\n`).join(""), { mode: 0o600 })
    await rename(`${this.#path}.new`, this.#path)
  }
}

/** A last line that was cut is left out. */
function parse(text: string): Purge[] {
  const purges: Purge[] = []
  for (const line of text.split("\n")) {
    try {
      const purge = JSON.parse(line) as Purge
      if (typeof purge.id === "string" && typeof purge.ms === "number" && typeof purge.spec === "object") purges.push(purge)
    } catch {
      continue
    }
  }
  return purges
}
