import { closeSync, openSync, writeFileSync } from "node:fs"
import { ByteStream, type Answer, type Awaitable, type Exchange, HeaderList, PASS, Reply, type Wire } from "edge"

/**
 * What answers the wire cases: the engine's handler in this process, and that of a plugin in the executable. The first
 * group another server can have too (an app that shows what it got); the second does what only a broken handler does,
 * for cases marked `only engine`.
 */
export function fixture(folder: string): (x: Exchange) => Awaitable<Answer> {
  const file = `${folder}/file.txt`
  writeFileSync(file, fileText)
  const routes: Record<string, (x: Exchange) => Awaitable<Answer>> = {
    "/hello": () => Reply.text(200, "hello"),
    "/wire": () => Reply.prepared(200, ["Content-Type", "text/plain"], "wired", wire),
    "/show": show,
    "/length": async x => Reply.text(200, String(x.body === null ? 0 : (await x.body.bytes()).byteLength)),
    "/ignore": () => Reply.text(200, "ignored"),
    "/slow": x => Bun.sleep(40).then(() => Reply.text(200, `slow ${x.query}`)),
    "/never": () => new Promise<Answer>(() => {}),
    "/empty": () => new Reply(204),
    "/same": () => new Reply(304, new HeaderList(["ETag", '"a"'])),
    "/file": () => {
      const fd = openSync(file, "r")
      return new Reply(200, undefined, { fd, start: 0, end: fileText.length, close: () => closeSync(fd) })
    },
    "/stream": () => new Reply(200, undefined, streamOf(["one", "two", "three"])),
    "/early": x => {
      x.early(103, new HeaderList(["Link", "</a.css>; rel=preload"]))
      return Reply.text(200, "late")
    },
    "/echo": x => new Reply(200, undefined, x.body),
    "/upgrade": upgrade,

    "/throw": () => {
      throw new Error("a secret")
    },
    "/reject": () => Promise.reject(new Error("a secret")),
    "/split": () => new Reply(200, new HeaderList(["X-A", "b\r\nX-B: c"]), "x"),
    "/wide": () => new Reply(200, new HeaderList(["X-A", "b\u010d\u010aX-B: c"]), "x"),
    "/nul": () => new Reply(200, new HeaderList(["X-A", "b\0"]), "x"),
    "/name": () => new Reply(200, new HeaderList(["X A", "b"]), "x"),
    "/status": () => new Reply(42, undefined, "x"),
    "/reason": () => {
      const reply = Reply.text(200, "x")
      reply.reason = "fine\r\nX-B: c"
      return reply
    },
    "/own-reason": () => {
      const reply = Reply.text(200, "x")
      reply.reason = "All Right"
      return reply
    },
    "/nothing": () => undefined as never,
    "/framing": () => new Reply(200, new HeaderList(["Transfer-Encoding", "chunked", "Connection", "close", "Keep-Alive", "x"]), "x"),
    "/lying": () => new Reply(200, new HeaderList(["Content-Length", "9"]), "x"),
    "/short": () => new Reply(200, new HeaderList(["Content-Length", "9"]), streamOf(["short"])),
    "/long": () => new Reply(200, new HeaderList(["Content-Length", "3"]), streamOf(["longer"])),
    "/broken": () => new Reply(200, undefined, streamOf(["some"], new Error("broken"))),
    "/big": () => new Reply(200, undefined, Buffer.alloc(300_000, "b")),
    "/trailers": () => new Reply(200, undefined, streamOf(["x"], undefined, new HeaderList(["X-Sum", "1"]))),
    "/close": () => Promise.resolve(Reply.text(200, "x")),
    "/huge-chunks": () => new Reply(200, undefined, streamOf(["a".repeat(70_000), "b".repeat(70_000)])),
  }
  return x => (x.path in routes ? routes[x.path]!(x) : PASS)
}

export const fileText = Array.from({ length: 9000 }, (_, i) => `line ${i}\n`).join("")

/** The request as a handler sees it: one line each, then the body. */
async function show(x: Exchange): Promise<Answer> {
  let text = `${x.method} ${x.target}\npath=${x.path} query=${x.query} host=${x.host} http=${x.httpVersion}\n`
  for (const [name, value] of x.headers) text += `${name}: ${value}\n`
  if (x.body !== null) text += `\n${Buffer.from(await x.body.bytes()).toString("latin1")}`
  return new Reply(200, new HeaderList(["Content-Type", "text/plain"]), Buffer.from(text, "latin1"))
}

function upgrade(x: Exchange): Answer {
  const duplex = x.upgrade()
  if (duplex === null) return Reply.text(400, "cannot")
  duplex.write(Buffer.from("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"))
  duplex.incoming.pipe({ data: chunk => void duplex.write(chunk), end: () => duplex.end(), fail: () => {} })
  return PASS
}

function streamOf(parts: string[], error?: Error, trailers?: HeaderList): ByteStream {
  return new (class extends ByteStream {
    readonly length = -1
    pipe(sink: Parameters<ByteStream["pipe"]>[0]): void {
      for (const part of parts) sink.data(Buffer.from(part))
      if (error === undefined) sink.end(trailers)
      else sink.fail(error)
    }
    pause(): void {}
    resume(): void {}
    cancel(): void {}
  })()
}

const wireHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: "
const wire: Wire = {
  bytes: Buffer.from(`${wireHead}Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 5\r\n\r\nwired`),
  dateAt: wireHead.length,
  bodyAt: wireHead.length + 29 + 2 + "Content-Length: 5\r\n\r\n".length,
  dateSec: 0,
}
