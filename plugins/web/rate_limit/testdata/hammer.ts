/** One of several processes that take as much as they can of 200 keys, 50 each; prints how often it was let in, by key. */
import { FrontPages } from "../../../../src/generation/front-pages.ts"
import { wordsFor } from "../layout.ts"
import { CountTable } from "../table.ts"

const [folder, front] = process.argv.slice(2) as [string, string]
const page = new FrontPages({ folder, front: Number(front) }).declare("hammer", wordsFor(4096))
const table = new CountTable(page, { limit: 50, windowMs: 86_400_000, keys: 4096 })
// All start together, once the last has come.
const gate = new FrontPages({ folder, front: Number(front) }).declare("gate", 4).words
Atomics.add(gate, 0, 1)
while (Atomics.load(gate, 0) < 4) await Bun.sleep(1)
const counts: number[] = []
for (let i = 0; i < 200; i++) {
  let n = 0
  for (let tries = 0; tries < 60; tries++) if (table.take(`key ${i}`, 1_000_000_000_000)) n++
  counts.push(n)
}
console.log(JSON.stringify(counts))
