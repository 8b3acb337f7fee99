/**
 * One front that claims and frees as fast as it can: hammer.ts PAGE CHECK FRONT ROUNDS.
 * The check page has a word per slot, a word per worker and one for the queue, and tells when two hold one slot, when a
 * slot is held of a worker that was seen idle after its closing, and when more wait than may.
 */
import { SlotClaims } from "../../src/slots/claims.ts"
import { openPage } from "../../src/slots/page.ts"

const [pageFile, checkFile, front, rounds] = process.argv.slice(2) as [string, string, string, string]
const claims = new SlotClaims(openPage(pageFile), Number(front))
const bytes = Bun.mmap(checkFile, { shared: true })
const check = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2)
const perWorker = claims.workers * claims.stride
const queueWord = perWorker + claims.workers
const limit = 3
for (let w = 0; w < claims.workers; w++) claims.connected(w, w + 1)

const said = { claimed: 0, full: 0, doubles: 0, late: 0, refused: 0, tooMany: 0 }
const held: number[] = []
console.log("ready")
for (let i = 0; i < Number(rounds); i++) {
  const ticket = claims.claim()
  if (ticket < 0) {
    said.full++
    if (claims.enqueue(limit)) {
      if (Atomics.add(check, queueWord, 1) >= limit) said.tooMany++
      Atomics.sub(check, queueWord, 1)
      claims.dequeue()
    } else said.refused++
  } else {
    said.claimed++
    if (Atomics.exchange(check, ticket, 1) !== 0) said.doubles++
    if (Atomics.load(check, perWorker + claims.workerOf(ticket)) !== 0) said.late++
    held.push(ticket)
  }
  // Holds two for a while, so that the pool is full now and then.
  if (held.length > 2 || (ticket < 0 && held.length > 0)) free(held.shift()!)
}
for (const ticket of held) free(ticket)
claims.leave()
console.log(JSON.stringify(said))

function free(ticket: number): void {
  Atomics.store(check, ticket, 0)
  if (!claims.free(ticket, claims.workerOf(ticket) + 1)) said.doubles++
}
