/** The same files, the same raw requests, nginx and edge: what differs is a named list. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdirSync, utimesSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { describeWith } from "../kit/needs.ts"
import { serve, type Served } from "../kit/served.ts"

const old = new Date("2020-01-02T03:04:05Z")
const date = "Thu, 02 Jan 2020 03:04:05 GMT"

interface Case {
  readonly target: string
  readonly method?: string
  /** Header lines; ETAG stands for the server's own tag of /a.txt. */
  readonly lines?: string
  /** What edge says where it differs, and why. */
  readonly differs?: readonly [status: number, why: string]
}

const a = "/a.txt"
const cases: readonly Case[] = [
  { target: a },
  { target: a, method: "HEAD" },
  { target: "/empty.txt" },
  { target: "/none" },
  { target: "/" },
  { target: "/sub" },
  { target: "/sub?x=1" },
  { target: "/sub/" },
  { target: "/a.txt/" },
  { target: "/s%70ace%20x.txt" },
  { target: "/./a.txt" },
  { target: "/x/../a.txt" },
  { target: "//a.txt" },
  { target: "/../a.txt" },
  { target: "/%2e%2e/a.txt" },
  { target: "/a.txt%00" },
  { target: "/a.txt", lines: "Range: bytes=2-4" },
  { target: a, lines: "Range: bytes=8-" },
  { target: a, lines: "Range: bytes=-3" },
  { target: a, lines: "Range: bytes=-99" },
  { target: "/empty.txt", lines: "Range: bytes=-5" },
  { target: "/empty.txt", lines: "Range: bytes=0-", differs: [416, "RFC 9110 14.1.2: a first byte that is not there is not satisfiable; nginx sends 200"] },
  { target: a, lines: "Range: bytes=5-99" },
  { target: a, lines: "Range: bytes=10-" },
  { target: a, lines: "Range: bytes=99-100,200-" },
  { target: a, lines: "Range: bytes=50-60,2-4" },
  { target: a, lines: "Range: lines=1-2" },
  { target: a, method: "HEAD", lines: "Range: bytes=0-1", differs: [200, "RFC 9110 14.2 has Range for GET only; nginx sends 206"] },
  { target: a, lines: "Range: bytes=4-2", differs: [200, "RFC 9110 14.1.1: an invalid range is ignored; nginx sends 416"] },
  { target: a, lines: "Range: bytes=a-b", differs: [200, "the same"] },
  { target: a, lines: "Range: bytes=2-4\r\nIf-Range: ETAG" },
  { target: a, lines: 'Range: bytes=2-4\r\nIf-Range: "other"' },
  { target: a, lines: "Range: bytes=2-4\r\nIf-Range: Wed, 01 Jan 2020 00:00:00 GMT" },
  { target: a, lines: "If-None-Match: ETAG" },
  { target: a, lines: "If-None-Match: W/ETAG" },
  { target: a, lines: 'If-None-Match: "x", ETAG' },
  { target: a, lines: "If-None-Match: *" },
  { target: a, lines: 'If-None-Match: "x"' },
  { target: a, lines: `If-None-Match: "x"\r\nIf-Modified-Since: ${date}` },
  { target: a, lines: "If-Match: ETAG" },
  { target: a, lines: 'If-Match: "x"' },
  { target: a, lines: "If-Match: *" },
  { target: a, lines: `If-Modified-Since: ${date}` },
  { target: a, lines: "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT" },
  { target: a, lines: "If-Modified-Since: nonsense" },
  {
    target: a,
    lines: "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
    differs: [304, "RFC 9110 13.1.3; nginx wants the exact date, which edge does only where the file's date was set back"],
  },
  { target: a, lines: `If-Unmodified-Since: ${date}` },
  { target: a, lines: "If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT" },
  { target: "/noindex/", differs: [404, "a folder without index is absent, so that later routes may answer; nginx says 403"] },
  { target: "/noindex", differs: [404, "the same; nginx redirects to that 403"] },
  { target: "/.env", differs: [404, "hidden files are refused; nginx sends them"] },
  { target: "/.git/config", differs: [404, "the same"] },
  { target: "/.well-known/x" },
  { target: "/sub%2Findex.html", differs: [404, "%2F is no separator; nginx decodes it"] },
  { target: a, method: "POST", differs: [404, "another route may take it; `fallthrough = false` makes it 405, as in nginx"] },
]

interface Seen {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

function ask(port: number, { target, method = "GET", lines }: Case): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>()
  let text = ""
  const extra = lines === undefined ? "" : `${lines}\r\n`
  const socket = connect(port, "127.0.0.1", () => socket.write(`${method} ${target} HTTP/1.1\r\nHost: a\r\n${extra}Connection: close\r\n\r\n`))
  socket.on("data", chunk => (text += chunk.toString("latin1")))
  socket.on("error", reject)
  socket.on("close", () => {
    const [head = "", body = ""] = text.split(/\r\n\r\n(.*)/s)
    const fields = head.split("\r\n").slice(1).map(line => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)])
    resolve({ status: Number(head.slice(9, 12)), headers: Object.fromEntries(fields), body })
  })
  return promise
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

describeWith(["nginx"], "static files, as nginx answers them", () => {
  let edge: Served
  let nginx: Bun.Subprocess
  let port = 0
  const tags = { edge: "", nginx: "" }

  beforeAll(async () => {
    edge = await serve(`[[site]]\n[[site.route]]\nstatic = { root = "www" }\n`, {
      "www/a.txt": "0123456789",
      "www/empty.txt": "",
      "www/index.html": "home",
      "www/sub/index.html": "sub",
      "www/noindex/x": "x",
      "www/space x.txt": "space",
      "www/.env": "SECRET",
      "www/.git/config": "SECRET",
      "www/.well-known/x": "x",
    })
    utimesSync(join(edge.dir, "www/a.txt"), old, old)
    const { dir } = edge
    mkdirSync(join(dir, "tmp"))
    port = await freePort()
    const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(name => `${name}_temp_path ${dir}/tmp/${name};`).join(" ")
    writeFileSync(
      join(dir, "nginx.conf"),
      `daemon off; ${process.getuid?.() === 0 ? "user root;" : ""} worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
      events {} http { access_log off; ${temp} types { text/html html; text/plain txt; }
      server { listen 127.0.0.1:${port}; root ${dir}/www; absolute_redirect off; } }`,
    )
    nginx = Bun.spawn(["nginx", "-p", dir, "-c", join(dir, "nginx.conf")], { stdout: "ignore", stderr: "ignore" })
    for (;;) {
      const answer = await ask(port, { target: a }).catch(() => null)
      if (answer !== null) break
      await Bun.sleep(20)
    }
    tags.nginx = (await ask(port, { target: a })).headers["etag"]!
    tags.edge = (await ask(edge.port(), { target: a })).headers["etag"]!
  })
  afterAll(async () => {
    nginx?.kill()
    await nginx?.exited
    await edge?.stop()
  })

  test.each(cases.map(one => [`${one.method ?? "GET"} ${one.target} ${one.lines ?? ""}`, one] as const))("%s", async (_, one) => {
    const withTag = (tag: string): Case => (one.lines === undefined ? one : { ...one, lines: one.lines.replaceAll("ETAG", tag) })
    const [ours, theirs] = await Promise.all([ask(edge.port(), withTag(tags.edge)), ask(port, withTag(tags.nginx))])
    if (one.differs !== undefined) {
      expect(ours.status).toBe(one.differs[0])
      // A difference that is gone has no place in the list.
      expect(theirs.status).not.toBe(ours.status)
      return
    }
    expect(ours.status).toBe(theirs.status)
    for (const name of ["location", "content-range", "last-modified"]) {
      if (theirs.status < 400) expect([name, ours.headers[name]]).toEqual([name, theirs.headers[name]])
    }
    if (theirs.status < 300) expect([ours.body, ours.headers["content-length"]]).toEqual([theirs.body, theirs.headers["content-length"]])
  })
})
