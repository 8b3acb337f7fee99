/** Answers that are cut, mutated, split anywhere and closed at any time: each call ends once and nothing is left behind. */
import { expect, test } from "bun:test"
import { client, listenRaw, settled, take, upstreamAt } from "./harness.ts"

/** Repeatable chance (mulberry32). */
function chance(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const seeds = [
  "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nA: b\r\n\r\nhello world",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX: y\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.0 200 OK\r\n\r\nuntil the end",
  "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nbytes",
]
const alphabet = ["\r", "\n", "\r\n", "\0", " ", "\t", ":", ";", "0", "f", "-", "+", "\xff", "chunked", "Content-Length: 5\r\n", "HTTP/1.1 200 OK\r\n\r\n"]

function mutate(text: string, random: () => number): string {
  let out = text
  for (let n = Math.floor(random() * 4); n > 0; n--) {
    const at = Math.floor(random() * (out.length + 1))
    const what = random()
    if (what < 0.4) out = out.slice(0, at) + alphabet[Math.floor(random() * alphabet.length)]! + out.slice(at)
    else if (what < 0.7) out = out.slice(0, at) + out.slice(at + 1 + Math.floor(random() * 4))
    else if (what < 0.9) out = out.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + out.slice(at + 1)
    else out = out.slice(0, at)
  }
  return out
}

for (let seed = 1; seed <= 4; seed++) {
  test(`300 answers, seed ${seed}`, async () => {
    const random = chance(seed)
    const server = listenRaw(c => {
      if (!c.text.endsWith("\r\n\r\n")) return
      c.text = ""
      const wire = mutate(seeds[Math.floor(random() * seeds.length)]!, random)
      const cut = random() < 0.5 ? Math.floor(random() * wire.length) : wire.length
      const how = random()
      c.write(wire.slice(0, cut))
      const rest = () => {
        if (c.closed) return
        c.write(wire.slice(cut))
        if (how < 0.4) c.socket.end()
        else if (how < 0.6) c.socket.terminate()
      }
      if (random() < 0.5) rest()
      else setTimeout(rest, 1)
    })
    // Answers that stay open are ended by the limits.
    const upstream = upstreamAt(server.port, { limits: { headMs: 50, readMs: 50 } })
    const outcomes = { answered: 0, refused: 0, broken: 0 }
    const one = async () => {
      const c = client({ method: random() < 0.2 ? "HEAD" : "GET" })
      const { value, error } = await settled(upstream.send(c.x))
      if (value === undefined) {
        expect([502, 504]).toContain(error!.status!)
        outcomes.refused++
        return
      }
      const got = await take(value)
      if (got.error === undefined) outcomes.answered++
      else outcomes.broken++
      // Never a byte of framing or of another answer in a field.
      for (const field of value.headers.flat) expect(field).not.toMatch(/[\r\n\0]/)
    }
    for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 100 }, one))
    expect(upstream.active).toBe(0)
    expect(outcomes.answered).toBeGreaterThan(20)
    expect(outcomes.refused).toBeGreaterThan(20)
    upstream.close()
    server.stop()
  }, 20_000)
}
