import { describe } from "bun:test"
import { existsSync } from "node:fs"
import needs from "../needs.json" with { type: "json" }

export type Need = keyof typeof needs

/** The file of `need` that is on this machine (the program, as a rule); undefined when it is not installed. */
export function found(need: Need): string | undefined {
  return needs[need].files.find(file => existsSync(file))
}

/**
 * `describe` for a suite that needs programs of the system. Where one is missing the suite is skipped and says what
 * would enable it; under CI=true that is a failure.
 */
export function describeWith(wanted: readonly Need[], name: string, body: () => void): void {
  const missing = wanted.filter(need => found(need) === undefined)
  if (missing.length === 0) {
    describe(name, body)
    return
  }
  const packages = missing.flatMap(need => needs[need].packages).join(" ")
  const why = `${name}: needs ${missing.join(", ")} (apt-get install ${packages})`
  if (process.env.CI === "true") throw new Error(why)
  describe.skip(why, body)
}
