/**
 * A good config with random damage is either good still, and its dump is good and dumps to itself, or refused with words
 * and places: never an exception of ours, never "undefined" in a message.
 */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { dumpConfig } from "../../src/config/dump.ts"
import { configFromText } from "../../src/config/load.ts"
import { ConfigError } from "../../src/errors.ts"
import { setUp } from "../../src/generation/generation.ts"
import { createLogger } from "../../src/log/logger.ts"

const ROUNDS = 600
const file = join(import.meta.dir, "..", "..", "examples", "demo", "site.toml")
const good = readFileSync(file, "utf8")
const log = createLogger({ level: "error", format: "text", write() {} })

const splinters = [
  '"', "'", "[", "]", "{", "}", "=", "\n", ",", ".", "#", "${", "5", "true", "[[", "]]", "site", "app", "use", "\0", "\u{1F600}", "constructor",
  "toString", "__proto__", " ", "-", "1e999", "0x", "valueOf = 1\n", "toString = {}\n", "[app.constructor]\n", "[constructor]\n", "[[server]]\n",
]

/** A fixed generator, so that a failure can be run again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return below => (state = (state * 1103515245 + 12345) % 2147483648) % below
}

function damage(random: (below: number) => number): string {
  let text = good
  for (let hits = 1 + random(4); hits > 0; hits--) {
    const at = random(text.length)
    const cut = random(3) === 0 ? random(30) : random(2)
    text = text.slice(0, at) + (random(3) > 0 ? splinters[random(splinters.length)]! : "") + text.slice(at + cut)
  }
  return text
}

async function dump(text: string): Promise<string> {
  const config = await configFromText(text, { file, env: {} })
  return dumpConfig(config, (await setUp(config, { log, dev: false })).parts)
}

test(`${ROUNDS} damaged configs`, async () => {
  const random = randomFrom(20261123)
  const seen = { good: 0, refused: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const text = damage(random)
    const dumped = await dump(text).catch((error: unknown) => {
      if (!(error instanceof ConfigError)) throw new Error(`round ${round}:\n${text}`, { cause: error })
      expect(error.message).not.toMatch(/\bundefined\b|\[object |NaN/)
      for (const problem of error.problems) expect(problem.place).toMatchObject({ file, line: expect.any(Number), column: expect.any(Number) })
      return undefined
    })
    seen[dumped === undefined ? "refused" : "good"]++
    if (dumped !== undefined) expect(await dump(dumped)).toBe(dumped)
  }
  expect(seen.good).toBeGreaterThan(ROUNDS / 10)
  expect(seen.refused).toBeGreaterThan(ROUNDS / 10)
}, 60_000)
