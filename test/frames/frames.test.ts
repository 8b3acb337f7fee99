import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { ByteStream } from "edge"
import type { ByteSink, Exchange, Reply } from "edge"
import { WorkerLost } from "../../src/frames/call.ts"
import type { FrameClient } from "../../src/frames/client.ts"
import { bytesOf, exchange, streamOf } from "../kit/exchange.ts"
import { apps, EdgeWorker, memoryOf } from "./edge-worker.ts"

const worker = new EdgeWorker({ entry: "streams.ts" })
const ready = worker.connect()
afterAll(() => worker[Symbol.asyncDispose]())

const mb = 1024 * 1024

async function textOf(reply: Reply): Promise<string> {
  return (await bytesOf(reply)).toString()
}

async function get(client: FrameClient, target: string): Promise<string> {
  return textOf(await client.send(exchange(target)))
}

/** Waits until `true`: for what another process does in its own time. */
async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await is())) await Bun.sleep(5)
}

/** A body of `count` chunks, made only as fast as they are taken. */
function generated(count: number, chunk: Uint8Array): ByteStream & { made: number } {
  const state = { made: 0 }
  const stream = ByteStream.from(
    new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (state.made++ < count) controller.enqueue(chunk)
          else controller.close()
        },
      },
      { highWaterMark: 0 },
    ),
  )
  return Object.defineProperty(stream, "made", { get: () => state.made }) as ByteStream & { made: number }
}

/** Takes a body, at its own pace. */
class Taker implements ByteSink {
  bytes = 0
  error: Error | undefined
  readonly ended: Promise<void>
  #end!: () => void
  constructor(readonly onChunk: (bytes: number) => void = () => {}) {
    this.ended = new Promise(resolve => (this.#end = resolve))
  }
  data(chunk: Uint8Array): void {
    this.bytes += chunk.length
    this.onChunk(chunk.length)
  }
  end(): void {
    this.#end()
  }
  fail(error: Error): void {
    this.error = error
    this.#end()
  }
}

describe("answers", () => {
  test("a small one comes as bytes, not as a stream", async () => {
    const client = await ready
    const reply = await client.send(exchange("/"))
    expect(reply.status).toBe(200)
    expect(reply.body).toBeInstanceOf(Uint8Array)
    expect(await textOf(reply)).toBe("hello")
    expect(client.active).toBe(0)
  })

  test("text of every size arrives whole", async () => {
    const client = await ready
    for (const kb of [1, 63, 64, 85, 86, 255, 256, 257, 1023, 1024, 1500, 5000]) {
      const bytes = await bytesOf(await client.send(exchange(`/text/${kb}`)))
      expect([kb, bytes.length, bytes.equals(Buffer.alloc(kb * 1024, "ż"))]).toEqual([kb, kb * 1024, true])
    }
  })

  test("HEAD has the headers and no body, of a stream too", async () => {
    const client = await ready
    for (const target of ["/", "/file"]) {
      const reply = await client.send(exchange(target, { method: "HEAD" }))
      expect([reply.status, reply.body]).toEqual([200, null])
    }
    await until(() => client.active === 0)
  })

  test("a file says its length", async () => {
    const reply = await (await ready).send(exchange("/file"))
    const file = Bun.file(`${apps}/streams.ts`)
    expect((reply.body as ByteStream).length).toBe(file.size)
    expect(await textOf(reply)).toBe(await file.text())
  })

  test("what the app throws is a 500 and in its log, with file and line", async () => {
    const reply = await (await ready).send(exchange("/throw"))
    expect(reply.status).toBe(500)
    await until(() => /thrown in the app/.test(worker.output) && /streams\.ts:\d+/.test(worker.output))
  })

  test("an object that is no Response is a 500", async () => {
    const reply = await (await ready).send(exchange("/split"))
    expect(reply.status).toBe(500)
    await until(() => worker.output.includes("expected a Response"))
  })

  test("a body that breaks fails the stream, so that it does not look complete", async () => {
    const reply = await (await ready).send(exchange("/break"))
    await expect(bytesOf(reply)).rejects.toThrow("the app failed")
  })

  test("headers of every size up to 256 kB, and an error beyond", async () => {
    const client = await ready
    for (const [kb, status] of [[1, 200], [100, 200], [255, 200], [257, 500], [5000, 500]] as const) {
      const reply = await client.send(exchange(`/headers/${kb}`))
      expect([kb, reply.status, reply.headers.get("x-big")?.length]).toEqual([kb, status, status === 200 ? kb * 1024 : undefined])
    }
    await until(() => client.active === 0)
  })

  test("a rejection nobody waits for is logged and harms nothing", async () => {
    expect(await get(await ready, "/reject")).toBe("answered all the same")
    await until(() => worker.output.includes("nobody waits for this"))
    expect(await get(await ready, "/")).toBe("hello")
  })

  test("Bun's and edge's own variables are not the app's", async () => {
    expect(await get(await ready, "/env")).toBe("[]")
  })
})

describe("bodies", () => {
  test("echo: both ways at once, in order", async () => {
    const chunks = Array.from({ length: 300 }, (_, i) => `${i},`.repeat(1000))
    const reply = await (await ready).send(exchange("/echo", { method: "POST", body: streamOf(chunks) }))
    expect(reply.headers.get("x-echo")).toBe("1")
    expect(await textOf(reply)).toBe(chunks.join(""))
  })

  test("200 MB up and down with constant memory on both sides", async () => {
    const client = await ready
    const chunk = new Uint8Array(mb).fill(97)
    const [before, ours] = [worker.memory(), memoryOf(process.pid)]
    let most = 0
    const look = setInterval(() => (most = Math.max(most, worker.memory() - before, memoryOf(process.pid) - ours)), 20)
    const body = generated(200, chunk)
    const reply = await client.send(exchange("/echo", { method: "POST", body }))
    const taker = new Taker()
    ;(reply.body as ByteStream).pipe(taker)
    await taker.ended
    clearInterval(look)
    expect([taker.error, taker.bytes]).toEqual([undefined, 200 * mb])
    expect(most).toBeLessThan(120 * mb)
  }, 60_000)

  test("a hash of what was sent", async () => {
    const body = Buffer.alloc(3 * mb + 7, "0123456789")
    const reply = await (await ready).send(exchange("/hash", { method: "POST", body }))
    expect(JSON.parse(await textOf(reply))).toEqual({ bytes: body.length, sha256: createHash("sha256").update(body).digest("hex") })
  })

  test("a slow reader holds the worker back", async () => {
    const client = await ready
    const reply = await client.send(exchange("/big/100"))
    const body = reply.body as ByteStream
    const taker = new Taker(() => body.pause())
    body.pipe(taker)
    await Bun.sleep(100)
    const held = taker.bytes
    // One frame was delivered, the rest waits: what came is at most what the credit allows.
    expect(held).toBeLessThanOrEqual(262_144)
    const before = memoryOf(process.pid)
    await Bun.sleep(100)
    expect(memoryOf(process.pid) - before).toBeLessThan(8 * mb)
    const pump = setInterval(() => body.resume(), 0)
    await taker.ended
    clearInterval(pump)
    expect(taker.bytes).toBe(100 * mb)
    expect(await get(client, "/")).toBe("hello")
  }, 60_000)

  test("a slow worker holds the client back", async () => {
    const client = await ready
    const body = generated(1000, new Uint8Array(65_536))
    const x = exchange("/slow/200", { method: "POST", body })
    const reply = client.send(x)
    await Bun.sleep(100)
    // Five are under way or asked for, not a thousand.
    expect(body.made).toBeLessThan(12)
    expect((await reply).status).toBe(404)
    await until(() => client.active === 0)
  })

  test("an answer before the body is read ends the body", async () => {
    const client = await ready
    const body = generated(1000, new Uint8Array(65_536))
    const reply = await client.send(exchange("/ignore", { method: "POST", body }))
    expect(await textOf(reply)).toBe("not read")
    await until(() => client.active === 0)
    expect(body.made).toBeLessThan(12)
    expect(await get(client, "/")).toBe("hello")
  })

  test("a client's body that breaks cancels the exchange", async () => {
    const client = await ready
    const broken = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await Bun.sleep(5)
        controller.error(new Error("cut"))
      },
    })
    const x = exchange("/hash", { method: "POST", body: ByteStream.from(broken) })
    await expect(client.send(x)).rejects.toMatchObject({ status: 400 })
    await until(() => client.active === 0)
  })
})

describe("what cannot be sent on", () => {
  test.each<[string, Parameters<typeof exchange>[1]]>([
    ["a header with a line break", { headers: { "X-A": "a\r\nX-B: b" } }],
    ["a header with a NUL", { headers: { "X-A": "a\0X-B\0b" } }],
    ["a header that would be cut to a line feed", { headers: { "X-A": "a\u010ab" } }],
    ["a header that would be cut to a NUL", { headers: { "X-A": "a\u0100b" } }],
    ["a name with a NUL", { headers: { "X\0A": "b" } }],
    ["a method with a NUL", { method: "GET\0/" }],
    ["a host with a line break", { host: "a\nb" }],
    ["a header with a body", { method: "POST", body: "x", headers: { "X-A": "a\0b" } }],
  ])("%s: 400, and the worker never hears of it", async (_, options) => {
    const client = await ready
    let freed = 0
    await expect(client.send(exchange("/", options), () => freed++)).rejects.toMatchObject({ status: 400 })
    expect([freed, client.active]).toEqual([1, 0])
    expect(await get(client, "/")).toBe("hello")
  })

  test("a body that is broken from the start", async () => {
    const client = await ready
    class Broken extends ByteStream {
      readonly length = 5
      pipe(sink: ByteSink): void {
        sink.fail(new Error("cut"))
      }
      pause(): void {}
      resume(): void {}
      cancel(): void {}
    }
    let freed = 0
    await expect(client.send(exchange("/hash", { method: "POST", body: new Broken() }), () => freed++)).rejects.toMatchObject({ status: 400 })
    expect([freed, client.active]).toEqual([1, 0])
    expect(await get(client, "/")).toBe("hello")
  })

  test("a listener's address beyond ASCII harms nothing", async () => {
    expect(await textOf(await (await ready).send(exchange("/", { conn: { local: "unix:/tmp/żółw.sock" } })))).toBe("hello")
  })
})

describe("many", () => {
  test("1,000 at once, each gets its own", async () => {
    const client = await ready
    const bodies = Array.from({ length: 1000 }, (_, i) => `body ${i} `.repeat(1 + (i % 500)))
    const replies = bodies.map(async body => textOf(await client.send(exchange("/echo", { method: "POST", body }))))
    expect(await Promise.all(replies)).toEqual(bodies)
    expect(client.active).toBe(0)
  })

  test("a slow one does not stand in the way of others", async () => {
    const client = await ready
    const slow = get(client, "/slow/300")
    let done = false
    void slow.then(() => (done = true))
    for (let i = 0; i < 20; i++) expect(await get(client, "/")).toBe("hello")
    expect(done).toBe(false)
    expect(await slow).toBe("slept")
  })

  test("ping, and the depth of the worker", async () => {
    const client = await ready
    const hanging = [1, 2, 3].map(() => {
      const x = exchange("/hang")
      return [x, client.send(x).catch(() => {})] as const
    })
    expect(await client.ping()).toBeGreaterThanOrEqual(0)
    expect(client.depth).toBe(3)
    for (const [x] of hanging) x.abort()
    await until(() => client.active === 0)
    await client.ping()
    expect(client.depth).toBe(0)
  })
})

describe("giving up", () => {
  test("a client that goes aborts the app's request, and frees its place", async () => {
    const client = await ready
    const x = exchange("/hang?who=abort")
    let freed = 0
    const reply = client.send(x, () => freed++)
    await until(async () => (await client.ping()) >= 0 && client.depth > 0)
    x.abort()
    await expect(reply).rejects.toMatchObject({ status: 499 })
    await until(() => freed === 1)
    expect(await get(client, "/aborted")).toContain("abort")
  })

  test("a stream nobody reads any more is cancelled in the app", async () => {
    const client = await ready
    const reply = await client.send(exchange("/drip?who=drip"))
    const body = reply.body as ByteStream
    const taker = new Taker(() => body.cancel())
    body.pipe(taker)
    await until(async () => (await get(client, "/aborted")).includes("drip"))
    await until(() => client.active === 0)
  })

  test("the deadline answers 504 and cancels", async () => {
    const late: Exchange[] = []
    const client = await worker.connect({ timeoutMs: 50, onTimeout: x => late.push(x) })
    const x = exchange("/hang?who=deadline")
    await expect(client.send(x)).rejects.toMatchObject({ status: 504 })
    expect(late).toEqual([x])
    await until(() => client.active === 0)
    expect(await get(client, "/aborted")).toContain("deadline")
    // Until the head: a stream may last.
    const drip = (await client.send(exchange("/drip"))).body as ByteStream
    const taker = new Taker()
    drip.pipe(taker)
    await until(() => taker.bytes > 5 * 30)
    drip.cancel()
  })
})

describe("a worker that goes", () => {
  async function fresh() {
    const mine = new EdgeWorker({ entry: "streams.ts" })
    return { mine, client: await mine.connect() }
  }

  test("killed before its answer: WorkerLost, with what a retry must know", async () => {
    const { mine, client } = await fresh()
    await using _ = mine
    let freed = 0
    const lost = client.send(exchange("/die"), () => freed++).catch((e: unknown) => e)
    const posted = client.send(exchange("/hash", { method: "POST", body: generated(1000, new Uint8Array(1000)) })).catch((e: unknown) => e)
    const error = (await lost) as WorkerLost
    expect(error).toBeInstanceOf(WorkerLost)
    expect(error.status).toBe(502)
    expect(error.safeToRetry).toEqual({ sent: true, bodyTaken: 0, before: 0 })
    expect(((await posted) as WorkerLost | Reply)).toBeDefined()
    expect(freed).toBe(1)
    expect(client.down).toBe(true)
    const after = (await client.send(exchange("/")).catch((e: unknown) => e)) as WorkerLost
    expect(after.safeToRetry).toEqual({ sent: false, bodyTaken: 0, before: 0 })
  })

  test("killed in the middle of an answer: the stream fails", async () => {
    const { mine, client } = await fresh()
    await using _ = mine
    const reply = await client.send(exchange("/die?after=head"))
    await expect(bytesOf(reply)).rejects.toThrow()
  })

  test("drained: what it has is answered, then it exits 0", async () => {
    const { mine, client } = await fresh()
    await using _ = mine
    const supervisor = await mine.connect({ role: "supervisor" })
    const slow = get(client, "/slow/300")
    await client.ping()
    expect(await supervisor.stack()).toMatch(/^1 exchange, event loop free\nGET \/slow\/300, \d+ ms, no answer yet$/)
    supervisor.drain()
    await supervisor.ping()
    // Crossed the drain: still answered.
    expect(await get(client, "/")).toBe("hello")
    client.retire()
    expect(await slow).toBe("slept")
    expect(await mine.exited()).toBe(0)
  })

  test("its supervisor gone: it finishes and exits", async () => {
    const { mine, client } = await fresh()
    await using _ = mine
    const supervisor = await mine.connect({ role: "supervisor" })
    const slow = get(client, "/slow/200")
    await client.ping()
    supervisor.close()
    expect(await slow).toBe("slept")
    client.retire()
    expect(await mine.exited()).toBe(0)
  })
})
