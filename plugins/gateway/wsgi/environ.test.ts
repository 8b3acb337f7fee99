import { afterAll, beforeAll, expect, test } from "bun:test"
import type { PythonWorker } from "../../../test/kit/python-worker.ts"
import type { Ask, RawFront } from "../../../test/kit/raw-front.ts"
import { startWsgi } from "./testdata/start.ts"

let worker: PythonWorker
let front: RawFront
let id = 0

beforeAll(async () => {
  worker = await startWsgi("apps:application")
  front = await worker.connect()
})
afterAll(() => worker.stop())

async function environ(ask: Ask = {}): Promise<Record<string, unknown>> {
  const answer = await front.ask(++id, { path: "/environ", ...ask })
  return JSON.parse(answer.body.toString()) as Record<string, unknown>
}

test("everything that PEP 3333 and Gunicorn give", async () => {
  const ask = { method: "POST", query: "a=1&b=%20", body: "hello", headers: ["Content-Type", "text/x", "X-One", "1"] }
  expect(await environ({ ...ask, target: "/en%76iron?a=1&b=%20" })).toEqual({
    REQUEST_METHOD: "POST",
    SCRIPT_NAME: "",
    PATH_INFO: "/environ",
    QUERY_STRING: "a=1&b=%20",
    RAW_URI: "/en%76iron?a=1&b=%20",
    REQUEST_URI: "/en%76iron?a=1&b=%20",
    CONTENT_TYPE: "text/x",
    CONTENT_LENGTH: "5",
    SERVER_NAME: "example.com",
    SERVER_PORT: "8080",
    SERVER_PROTOCOL: "HTTP/1.1",
    SERVER_SOFTWARE: "edge",
    REMOTE_ADDR: "192.0.2.7",
    REMOTE_PORT: "5555",
    HTTP_X_ONE: "1",
    "wsgi.version": [1, 0],
    "wsgi.url_scheme": "http",
    "wsgi.input": "BytesIO",
    "wsgi.errors": "TextIOWrapper",
    "wsgi.early_hints": "method",
    "wsgi.multithread": false,
    "wsgi.multiprocess": true,
    "wsgi.run_once": false,
    "wsgi.file_wrapper": "type",
    "wsgi.input_terminated": true,
  })
})

test("https, prefix, port and address as the front says", async () => {
  const env = await environ({ scheme: "https", prefix: "/shop", version: "1.0", host: "example.com", port: "", ip: "2001:db8::1" })
  expect(env).toMatchObject({
    "wsgi.url_scheme": "https", HTTPS: "on", SCRIPT_NAME: "/shop", SERVER_PORT: "443", SERVER_PROTOCOL: "HTTP/1.0",
    REMOTE_ADDR: "2001:db8::1",
  })
  expect(env).not.toHaveProperty("REMOTE_PORT")
  expect(env).not.toHaveProperty("CONTENT_LENGTH")
})

test.each([
  ["[::1]:81", "[::1]", "81"],
  ["[::1]", "[::1]", "80"],
  ["a.b", "a.b", "80"],
  ["", "127.0.0.1", "8080"],
])("SERVER_NAME and SERVER_PORT of Host %p", async (host, name, port) => {
  expect(await environ({ host })).toMatchObject({ SERVER_NAME: name, SERVER_PORT: port })
})

test("PATH_INFO is the bytes of the path as Latin-1", async () => {
  const bytes = Buffer.from("/environ/żółw").toString("latin1")
  const env = await environ({ path: bytes })
  expect(Buffer.from(env.PATH_INFO as string, "latin1").toString()).toBe("/environ/żółw")
})

test("duplicate headers are joined, Cookie by a semicolon, whatever their case", async () => {
  const headers = ["X-A", "1", "Cookie", "a=1", "x-a", "2", "cookie", "b=2", "X-B", "3", "X-A", ""]
  expect(await environ({ headers })).toMatchObject({ HTTP_X_A: "1,2,", HTTP_COOKIE: "a=1; b=2", HTTP_X_B: "3" })
})

test("a name with an underscore never reaches the app, alone or beside the real one", async () => {
  expect(await environ({ headers: ["X_Forwarded_For", "evil"] })).not.toHaveProperty("HTTP_X_FORWARDED_FOR")
  const headers = ["X-Forwarded-For", "good", "X_Forwarded_For", "evil", "X-Forwarded_For", "evil"]
  expect(await environ({ headers })).toMatchObject({ HTTP_X_FORWARDED_FOR: "good" })
})

test("CONTENT_LENGTH is the front's length, not a header", async () => {
  const env = await environ({ headers: ["Content-Length", "999", "CONTENT-LENGTH", "998"], body: "abc" })
  expect(env.CONTENT_LENGTH).toBe("3")
  expect(env).not.toHaveProperty("HTTP_CONTENT_LENGTH")
})

test("one request's environ never shows in the next", async () => {
  await environ({ headers: ["X-Secret", "1", "Content-Type", "a"], body: "b", prefix: "/p", scheme: "https" })
  const env = await environ()
  for (const key of ["HTTP_X_SECRET", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTPS"]) expect(env).not.toHaveProperty(key)
  expect(env.SCRIPT_NAME).toBe("")
})

test("its tables stay bounded when every request has new names, hosts and prefixes", async () => {
  const before = Number((await front.ask(++id, { path: "/memory" })).body)
  const long = "y".repeat(2000)
  for (let n = 0; n < 6000; n++) {
    void front.request(100_000 + n, { path: "/empty", host: `h${n}.${long}`, headers: [`X-${n}-${long}`, "1"] })
  }
  for (let n = 0; n < 6000; n++) await front.answer(100_000 + n)
  // Kept for ever they would hold 6,000 times 4 environs' strings of 2 kB: over 40 MB.
  expect(Number((await front.ask(++id, { path: "/memory" })).body) - before).toBeLessThan(40_000)
}, 20_000)
