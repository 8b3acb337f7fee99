/** Behind `compress`: HEAD and 304 say what GET says, and what is signed keeps its bytes. Through the executable. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { gunzipSync } from "node:zlib"
import { Origin } from "../cache/origin.ts"
import { Edge } from "../kit/edge.ts"

const text = "a line of text\n".repeat(200)
const fields: Record<string, [string, string][]> = {
  "/plain": [],
  "/image": [["Content-Type", "image/png"]],
  "/small": [["X-Small", "1"]],
  "/signature": [["Signature-Input", 'sig=("content-digest");created=1'], ["Signature", "sig=:AAAA:"]],
  "/content-digest": [["Content-Digest", "sha-256=:AAAA:"]],
  "/repr-digest": [["Repr-Digest", "sha-256=:AAAA:"]],
  "/digest": [["Digest", "sha-256=AAAA"]],
  "/md5": [["Content-MD5", "AAAA"]],
}

let edge: Edge
const origin = new Origin(({ target, headers }) => {
  const path = target.replace(/^\/\w+/, "")
  const own: [string, string][] = [["ETag", '"1"'], ["Cache-Control", "max-age=0"], ...(path === "/image" ? [] : ([["Content-Type", "text/plain"]] as [string, string][])), ...(fields[path] ?? [])]
  if (headers.get("if-none-match")?.includes('"1"') === true) return { status: 304, headers: own.slice(0, 2), body: "" }
  return { status: 200, headers: [...own, ["Content-Length", String(path === "/small" ? 3 : text.length)]], body: path === "/small" ? "abc" : text }
})

beforeAll(async () => {
  const route = (name: string, use: string) => `[[site.route]]\npath = "/${name}/*"\nuse = [${use}]\nproxy = "http://127.0.0.1:${origin.port}"\n`
  const config = `[server]\nfronts = 1\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n${route("alone", `"compress"`)}${route("outer", `"compress", "cache"`)}${route("inner", `"cache", "compress"`)}${route("signed", `{ compress = { signed = true } }`)}
[[site.route]]\nuse = ["compress"]\nstatic = { root = "public" }\n`
  edge = await Edge.start({ config, files: { "public/a.css": text, "public/a.png": text } })
}, 60_000)
afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
  origin.stop()
})

const names = ["content-type", "content-encoding", "vary", "etag"]
async function ask(path: string, method: string, headers: Record<string, string> = {}) {
  const answer = await fetch(edge.url(path), { method, headers: { "accept-encoding": "gzip", ...headers }, decompress: false } as RequestInit)
  const bytes = Buffer.from(await answer.arrayBuffer())
  return { status: answer.status, fields: names.map(name => answer.headers.get(name)), headers: answer.headers, bytes }
}

test.each(["alone", "outer", "inner"])("HEAD says what GET says: %s", async way => {
  // The cache in front keeps what a 304 to a client without codings said: that it may vary, as nobody knows better then.
  for (const path of way === "inner" ? ["/plain"] : ["/plain", "/image", "/small", "/content-digest"]) {
    for (const accept of ["gzip", "identity"]) {
      const head = await ask(`/${way}${path}`, "HEAD", { "accept-encoding": accept })
      const get = await ask(`/${way}${path}`, "GET", { "accept-encoding": accept })
      const again = await ask(`/${way}${path}`, "HEAD", { "accept-encoding": accept })
      expect({ path, accept, fields: head.fields }).toEqual({ path, accept, fields: get.fields })
      expect({ path, accept, fields: again.fields }).toEqual({ path, accept, fields: get.fields })
      // Either the same length or none.
      for (const { headers } of [head, again]) expect([null, get.headers.get("content-length")]).toContain(headers.get("content-length"))
    }
  }
  const { fields, bytes } = await ask(`/${way}/plain`, "GET")
  expect(fields).toEqual(["text/plain", "gzip", "Accept-Encoding", 'W/"1"'])
  expect(gunzipSync(bytes).toString()).toBe(text)
})

test("a 304 says what its 200 varies by", async () => {
  for (const path of ["/alone/plain", "/outer/plain", "/inner/plain", "/a.css"]) {
    for (const accept of ["gzip", "identity"]) {
      const get = await ask(path, "GET", { "accept-encoding": accept })
      const tag = get.headers.get("etag")!
      const held = await ask(path, "GET", { "accept-encoding": accept, "if-none-match": tag })
      expect({ path, accept, status: held.status, vary: held.headers.get("vary"), etag: held.headers.get("etag") }).toEqual({ path, accept, status: 304, vary: "Accept-Encoding", etag: tag })
    }
  }
})

test("what carries a digest or a signature keeps its bytes, unless told otherwise", async () => {
  for (const path of ["/signature", "/content-digest", "/repr-digest", "/digest", "/md5"]) {
    for (const way of ["alone", "outer", "inner"]) {
      for (let i = 0; i < 2; i++) {
        const { headers, bytes } = await ask(`/${way}${path}`, "GET")
        expect({ path, way, coding: headers.get("content-encoding"), text: bytes.toString(), tag: headers.get("etag") }).toEqual({ path, way, coding: null, text, tag: '"1"' })
        for (const [name, value] of fields[path]!) expect(headers.get(name)).toBe(value)
      }
    }
    const told = await ask(`/signed${path}`, "GET")
    expect(gunzipSync(told.bytes).toString()).toBe(text)
    if (path !== "/signature") expect(told.headers.get(fields[path]![0]![0])).toBeNull()
  }
})

test("a part that the cache cuts out of an answer has no digest of all of it", async () => {
  await ask("/inner/content-digest", "GET")
  const part = await ask("/inner/content-digest", "GET", { range: "bytes=0-3" })
  expect([part.status, part.headers.get("content-digest")]).toEqual([206, null])
})
