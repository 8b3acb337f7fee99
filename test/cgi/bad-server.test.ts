/** Servers that break FastCGI or CGI: the client gets 502, nothing of it is passed on, and the front goes on. */
import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CgiUpstream } from "../../src/cgi/upstream.ts"
import { RecordReader } from "../../src/cgi/fastcgi.ts"
import type { Reply } from "../../src/http/message/reply.ts"
import { ByteStream } from "../../src/http/message/stream.ts"
import { exchange } from "../kit/exchange.ts"

const record = (type: number, content: string | Uint8Array, { id = 1, version = 1, padding = 0 } = {}): Buffer => {
  const bytes = Buffer.from(content as string)
  return Buffer.concat([Buffer.from([version, type, id >> 8, id & 255, bytes.length >> 8, bytes.length & 255, padding, 0]), bytes, Buffer.alloc(padding)])
}
const STDOUT = 6
const STDERR = 7
const end = (status = 0): Buffer => record(3, Buffer.from([0, 0, 0, 0, status, 0, 0, 0]))
const head = "Content-Type: text/plain\r\n\r\n"

let folder: string | undefined
let listener: { stop(close?: boolean): void } | undefined
afterEach(() => {
  listener?.stop(true)
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

/** A server that says these bytes, in as many pieces as there are, when a request came; then it closes, or not. */
function serve(pieces: readonly Buffer[], { close = true } = {}): CgiUpstream {
  folder = mkdtempSync(join(tmpdir(), "edge-cgi-"))
  const path = join(folder, "s")
  listener = Bun.listen({
    unix: path,
    socket: {
      data: async socket => {
        for (const piece of pieces) {
          socket.write(piece)
          socket.flush()
          await Bun.sleep(2)
        }
        if (close) socket.end()
      },
    },
  })
  const target = { id: `unix:${path}`, hostname: "", port: 0, unix: path, secure: false, prefix: "", authority: "localhost" }
  const script = { scriptName: "/x.php", pathInfo: "", documentRoot: "/", scriptFilename: "/x.php" }
  return new CgiUpstream({ target, protocol: { name: "fastcgi" }, headMs: 2000, keepIdle: 0, script: () => script, onStderr: text => said.push(text) })
}
let said: string[] = []

async function ask(upstream: CgiUpstream): Promise<{ status: number; text: string; flat: readonly string[]; over: number }> {
  said = []
  let over = 0
  const reply = await upstream.send(exchange("/x.php"), () => over++).catch((error: { status: number; message: string }) => error)
  if (!("headers" in reply)) return { status: (reply as { status: number }).status, text: reply.message, flat: [], over }
  const { body } = reply as Reply
  const text = body instanceof ByteStream ? await body.text().catch((error: Error) => `broken: ${error.message}`) : Buffer.from((body ?? "") as string).toString()
  return { status: (reply as Reply).status, text, flat: (reply as Reply).headers.flat, over }
}

test("a good answer, cut anywhere, with padding, errors between and an empty record at its end", async () => {
  const bytes = Buffer.concat([
    record(STDERR, "a warning\n"),
    record(STDOUT, "Status: 201 Made\nX-A: 1\n", { padding: 7 }),
    record(STDOUT, "Content-Type: text/plain\n\nhel"),
    record(STDOUT, "lo", { padding: 255 }),
    record(STDOUT, ""),
    end(),
  ])
  const all = await ask(serve([bytes]))
  expect(all).toEqual({ status: 201, text: "hello", flat: ["X-A", "1", "Content-Type", "text/plain"], over: 1 })
  expect(said).toEqual(["a warning"])
  const cut = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(7 * i, 7 * i + 7))
  expect(await ask(serve(cut))).toEqual(all)
})

test("what is no answer is 502, and nothing of it is passed on", async () => {
  const cases: [name: string, pieces: Buffer[]][] = [
    ["HTTP", [Buffer.from("HTTP/1.1 200 OK\r\n\r\nhello")]],
    ["another version", [record(STDOUT, head, { version: 2 })]],
    ["another request", [record(STDOUT, head, { id: 2 })]],
    ["a type that servers do not send", [record(4, "x")]],
    ["an end without an answer", [end()]],
    ["overloaded", [end(2)]],
    ["an end too short", [record(3, "abc")]],
    ["closed at once", [Buffer.alloc(0)]],
    ["closed in a record", [record(STDOUT, head).subarray(0, 12)]],
    ["closed in the head", [record(STDOUT, "X-A: 1\r\n")]],
    ["a head without an end", [record(STDOUT, "X: y\r\n".repeat(10_000)), record(STDOUT, "X: y\r\n".repeat(5000))]],
    ["a header without a colon", [record(STDOUT, "hello\r\n\r\n"), end()]],
    ["a bare CR in a header", [record(STDOUT, "X-A: 1\rX-B: 2\r\n\r\n"), end()]],
    ["NUL in a header", [record(STDOUT, "X-A: a\0b\r\n\r\n"), end()]],
    ["a folded header", [record(STDOUT, "X-A: 1\r\n folded\r\n\r\n"), end()]],
    ["a bad status", [record(STDOUT, "Status: OK\r\n\r\n"), end()]],
    ["status 101", [record(STDOUT, "Status: 101 Switching\r\n\r\n"), end()]],
    ["two lengths", [record(STDOUT, "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), end()]],
  ]
  const seen: [string, number, string][] = []
  for (const [name, pieces] of cases) {
    const { status, flat } = await ask(serve(pieces))
    seen.push([name, status, flat.join()])
    listener!.stop(true)
  }
  expect(seen).toEqual(cases.map(([name]) => [name, 502, ""]))
})

test("an answer that breaks off, or is not as long as it said, does not look complete", async () => {
  for (const pieces of [
    [record(STDOUT, `${head}begin`)],
    [record(STDOUT, `Content-Length: 100\r\n${head}begin`), end()],
    [record(STDOUT, `${head}begin`), Buffer.from("garbage!garbage!")],
  ]) {
    expect((await ask(serve(pieces))).text).toStartWith("broken: ")
    listener!.stop(true)
  }
  // What comes behind its length is not passed on.
  expect((await ask(serve([record(STDOUT, `Content-Length: 3\r\n${head}abcdef`), end()]))).text).toBe("abc")
})

test("a server that says nothing is 504; framing is not the program's to say", async () => {
  expect((await ask(serve([], { close: false }))).status).toBe(504)
  listener!.stop(true)
  const answer = await ask(serve([record(STDOUT, `Transfer-Encoding: chunked\r\nConnection: upgrade\r\n${head}5`), end()]))
  expect(answer).toMatchObject({ status: 200, text: "5", flat: ["Content-Type", "text/plain"] })
})

test("any bytes at all make an error or records, never a hang or a crash", () => {
  let seed = 7
  const random = (n: number): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n
  for (let i = 0; i < 3000; i++) {
    const reader = new RecordReader({ stdout() {}, stderr() {}, ended() {} })
    const bytes = Buffer.from(Array.from({ length: random(200) }, () => (random(3) === 0 ? [1, 3, 6, 7, 0][random(5)]! : random(256))))
    try {
      for (let at = 0; at < bytes.length; at += 1 + random(20)) reader.push(bytes.subarray(at, at + 1 + random(20)))
    } catch (error) {
      expect((error as Error).message).toMatch(/^it /)
    }
  }
})
