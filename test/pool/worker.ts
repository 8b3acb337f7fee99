/**
 * A worker for tests of the pool: worker.ts VERSION_FILE [serial]. What it does is in the path. A serial one runs one
 * request at once, in the order they came, and none that was cancelled before its turn: as a worker with one thread does.
 */
import { readFileSync } from "node:fs"
import { FrameServer } from "../../src/frames/server.ts"
import type { Exchange } from "../../src/http/message/exchange.ts"
import { HeaderList } from "../../src/http/message/headers.ts"
import { Reply } from "../../src/http/message/reply.ts"
import { ByteStream } from "../../src/http/message/stream.ts"

const version = readFileSync(process.argv[2]!, "utf8").trim()
if (version.startsWith("throw")) throw new Error(`version ${version} is broken`)
if (version.startsWith("brief")) setTimeout(() => process.exit(7), 30)
if (version.startsWith("silent")) await Bun.sleep(1e9)

const kept: Buffer[] = []
let now = 0
/** Most requests that were here at once. */
let most = 0
const text = (status: number, body: string) => new Reply(status, undefined, body)

const server = new FrameServer({
  fd: 3,
  hello: { name: "test", concurrency: 1 },
  onError: () => {},
  onIdle: () => process.exit(0),
  handler: x => (process.argv[3] === "serial" ? inTurn(x) : handle(x)),
})
process.on("SIGTERM", () => server.drain())

let turn: Promise<unknown> = Promise.resolve()
let began = 0
/** Requests begun, in order, by their query. */
const begun: string[] = []

function inTurn(x: Exchange): Promise<Reply> {
  const { signal } = x
  const answer = turn.then(async () => {
    // After one that took longer than a millisecond it reads what came meanwhile, as the protocol asks for.
    if (performance.now() - began > 1) await Bun.sleep(1)
    began = performance.now()
    return signal.aborted ? text(499, "cancelled before it began") : handle(x)
  })
  turn = answer.catch(() => {})
  return answer
}

async function handle(x: Exchange): Promise<Reply> {
  const [, what, value] = x.path.split("/")
  if (x.query !== "") begun.push(x.query)
  now++
  most = Math.max(most, now)
  try {
    switch (what) {
      case "pid":
        return text(200, String(process.pid))
      case "begun":
        return new Reply(200, HeaderList.from({ pid: String(process.pid) }), begun.join(" "))
      case "version":
        return text(200, version)
      case "most":
        return text(200, String(most))
      case "sleep":
        await Bun.sleep(Number(value))
        return text(200, String(process.pid))
      case "spin":
        // nothing else happens in this process meanwhile, not even the answer to a ping; earlier answers left before
        await Bun.sleep(1)
        Bun.sleepSync(Number(value))
        return text(200, String(process.pid))
      case "exit":
        process.exit(Number(value))
      case "echo":
        return text(200, x.body === null ? "" : await x.body.text())
      case "eat":
        // reads some of the body, then dies
        x.body?.pipe({ data: () => process.exit(9), end() {}, fail() {} })
        return await new Promise<Reply>(() => {})
      case "stream":
        return new Reply(200, undefined, ByteStream.from(slowly(Number(value))))
      case "grow":
        kept.push(Buffer.alloc(Number(value) * 2 ** 20, 1))
        return text(200, String(process.pid))
      default:
        return text(404, "")
    }
  } finally {
    now--
  }
}

/** A byte each 50 ms. */
function slowly(count: number): ReadableStream<Uint8Array> {
  let sent = 0
  return new ReadableStream({
    async pull(controller) {
      await Bun.sleep(50)
      controller.enqueue(Buffer.from("."))
      if (++sent === count) controller.close()
    },
  })
}
