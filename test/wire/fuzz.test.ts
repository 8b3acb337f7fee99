import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Socket } from "bun"
import { HeadError } from "../../src/http/codec/header-block.ts"
import { RequestHeadReader } from "../../src/http/codec/request-head.ts"
import { listen } from "../../src/http/server/listener.ts"
import type { Logger } from "../../src/log/logger.ts"
import { WireClient } from "./client.ts"
import { fixture } from "./fixture.ts"
import { allCases } from "./play.ts"
import { servers } from "./servers.ts"

/** Bytes of mutated input per test; EDGE_FUZZ_SEED gives another run than the fixed one. */
const budget = 10_000_000
const seed = Number(process.env["EDGE_FUZZ_SEED"] ?? 20_261_123)

const folder = mkdtempSync(join(tmpdir(), "fuzz-"))
const errors: string[] = []
const log: Logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message), with: () => log }
const listener = listen({
  hostname: "127.0.0.1",
  port: 0,
  address: "127.0.0.1:0",
  handler: fixture(folder),
  limits: { ...servers["quick"]!, lingerMs: 50 },
  trusted: () => false,
  log,
})
afterAll(() => {
  listener.closeNow()
  rmSync(folder, { recursive: true })
})

/** xorshift32: the same numbers everywhere, so that a failure can be played again. */
function numbers(start: number): (below: number) => number {
  let state = start | 0 || 1
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** Everything that the wire cases send, as the material to spoil. */
const corpus = allCases().flatMap(({ cases }) =>
  cases.map(one => Buffer.concat(one.steps.flatMap(step => (step.kind === "send" ? [step.bytes] : []))).subarray(0, 20_000)),
)
const tasty = ["\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", "0", "chunked", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n", "\xff", "%2e", "/../", "99999999999999999999"]

function mutate(next: (below: number) => number): Buffer {
  // Mostly short ones: it is the number of different inputs that finds something.
  let text = corpus[next(corpus.length)]!.toString("latin1", 0, next(50) === 0 ? 20_000 : 600)
  for (let i = next(4); i >= 0; i--) {
    const at = next(text.length + 1)
    const size = next(8)
    switch (next(6)) {
      case 0:
        text = text.slice(0, at) + String.fromCharCode(next(256)) + text.slice(at + 1)
        break
      case 1:
        text = text.slice(0, at) + text.slice(at + size)
        break
      case 2:
        text = text.slice(0, at) + tasty[next(tasty.length)]! + text.slice(at)
        break
      case 3:
        text = text.slice(0, at) + text.slice(Math.max(0, at - size * 8), at) + text.slice(at)
        break
      case 4: {
        const other = corpus[next(corpus.length)]!.toString("latin1", 0, 600)
        text = text.slice(0, at) + other.slice(next(other.length + 1))
        break
      }
      default:
        text = text.slice(0, at)
    }
  }
  return Buffer.from(text.slice(0, 40_000), "latin1")
}

test("the head reader takes any bytes, and takes them the same way however they are cut", () => {
  const next = numbers(seed)
  const rules = { headBytes: 16_384, headFields: 100, underscores: false, trusted: false }
  const read = (bytes: Buffer) => {
    const reader = new RequestHeadReader(rules)
    try {
      const end = reader.read(bytes, 0)
      return end < 0 ? "more" : `${end} ${reader.method} ${reader.target} ${reader.host} ${reader.block.flat.join("|")}`
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      return `refused ${error.status}`
    }
  }
  for (let done = 0; done < budget; ) {
    const bytes = mutate(next)
    done += bytes.length
    const whole = read(bytes)
    // A part is either not enough, or refused as the whole is, or it was all that counted.
    const part = read(bytes.subarray(0, next(bytes.length + 1)))
    if (part !== "more" && part !== whole) expect(whole).toStartWith("refused")
    if (part.startsWith("refused") && !whole.startsWith("refused")) throw new Error(`a part is refused, the whole is not: ${JSON.stringify(bytes.toString("latin1"))}`)
    // What is passed on can be sent on: no line of it can become two.
    if (!whole.startsWith("refused")) expect(whole).not.toMatch(/[\r\n\0]/)
  }
}, 120_000)

test("the server takes any bytes, answers with well-formed messages only, and still answers", async () => {
  const next = numbers(seed + 1)
  const before = errors.length
  let sent = 0
  let answers = 0
  const worker = async () => {
    while (sent < budget) {
      // Some good ones in front, so that the bad one meets a connection in use.
      const good = Array.from({ length: next(4) }, () => corpus[next(corpus.length)]!.subarray(0, 600))
      const bytes = Buffer.concat([...good, mutate(next), mutate(next)])
      sent += bytes.length
      const got = await throwAt(bytes, next)
      answers += got
    }
  }
  await Promise.all(Array.from({ length: 128 }, worker))
  expect(answers).toBeGreaterThan(10_000)
  // Handlers of the fixture fail and their answers are refused or cut; nothing else may go wrong.
  const known = /^(a handler failed|an answer was (refused|cut))$/
  expect(errors.slice(before).filter(message => !known.test(message))).toEqual([])
  const client = await WireClient.open({ host: "127.0.0.1", port: listener.port })
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
  expect((await client.answer()).body).toBe("hello")
  client.close()
}, 120_000)

/** Sends the bytes, in two pieces sometimes, closes our side and counts the answers. */
function throwAt(bytes: Buffer, next: (below: number) => number): Promise<number> {
  return new Promise(resolve => {
    const cut = next(3) === 0 ? next(bytes.length + 1) : bytes.length
    let got = ""
    const over = () => resolve(got.split(/HTTP\/1\.1 \d{3} /).length - 1)
    // A case may have asked for an upgrade, and the bytes come back as they were; all else starts like an answer.
    const check = (part: Buffer) => {
      if (got === "") expect(part.toString("latin1", 0, 9)).toBe("HTTP/1.1 ")
      got += part.toString("latin1", 0, 2000)
    }
    void Bun.connect({
      hostname: "127.0.0.1",
      port: listener.port,
      allowHalfOpen: true,
      socket: {
        open(socket: Socket) {
          socket.write(bytes.subarray(0, cut))
          const rest = () => {
            socket.write(bytes.subarray(cut))
            socket.shutdown()
          }
          if (cut < bytes.length) setTimeout(rest, 1)
          else socket.shutdown()
        },
        data: (_socket: Socket, part: Buffer) => check(part),
        end: (socket: Socket) => void socket.end(),
        close: over,
        error: () => {},
      },
    })
  })
}
