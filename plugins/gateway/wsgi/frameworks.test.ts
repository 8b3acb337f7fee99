import { afterAll, beforeAll, expect, test } from "bun:test"
import { describeWith } from "../../../test/kit/needs.ts"
import type { PythonWorker } from "../../../test/kit/python-worker.ts"
import { header } from "../../../test/kit/raw-front.ts"
import type { Ask, RawFront } from "../../../test/kit/raw-front.ts"
import { startWsgi } from "./testdata/start.ts"

let worker: PythonWorker
let front: RawFront
let id = 0
const ask = (path: string, more: Ask = {}) => front.ask(++id, { path, headers: ["Host", "example.com:8080"], ...more })

async function open(entry: string): Promise<void> {
  worker = await startWsgi(entry)
  front = await worker.connect()
}

const form = "application/x-www-form-urlencoded"
const multipart = [
  "--edge", 'Content-Disposition: form-data; name="user"', "", "ann",
  "--edge", 'Content-Disposition: form-data; name="file"; filename="a.txt"', "Content-Type: text/plain", "", "x".repeat(100_000),
  "--edge--", "",
].join("\r\n")
const upload = { method: "POST", body: multipart, headers: ["Host", "h", "Content-Type", "multipart/form-data; boundary=edge"] }

describeWith(["flask"], "Flask, unmodified", () => {
  beforeAll(() => open("flask_app:app"))
  afterAll(() => worker.stop())

  test("routing, address and URL", async () => {
    const answer = await ask("/hello/ann", { prefix: "/shop", scheme: "https" })
    expect(answer.body.toString()).toBe("Hello ann, from 192.0.2.7 to https://example.com:8080/shop/hello/ann")
  })

  test("a session, and redirects below the prefix", async () => {
    const login = await ask("/login", { method: "POST", body: "user=ann", headers: ["Host", "h", "Content-Type", form], prefix: "/shop" })
    expect(login.status).toBe(302)
    expect(header(login, "location")).toBe("/shop/me")
    const cookie = header(login, "set-cookie")!.split(";")[0]!
    expect((await ask("/me", { headers: ["Host", "h", "Cookie", cookie] })).body.toString()).toBe("ann")
    expect((await ask("/me")).body.toString()).toBe("nobody")
  })

  test.each(["Content-Length", "chunked"])("an upload: %s", async how => {
    const answer = await ask("/upload", how === "chunked" ? { ...upload, length: "-1" } : upload)
    expect(JSON.parse(answer.body.toString())).toEqual({ name: "a.txt", bytes: 100_000, first: "xxxxx" })
  })

  test("JSON, stream, file, error", async () => {
    const json = { method: "POST", body: '{"a":[1]}', headers: ["Host", "h", "Content-Type", "application/json"] }
    expect(JSON.parse((await ask("/json", json)).body.toString())).toEqual({ a: [1] })
    expect((await ask("/stream")).body.toString()).toBe("line 0\nline 1\nline 2\n")
    expect((await ask("/file")).body.toString()).toBe("from send_file")
    expect((await ask("/boom")).status).toBe(500)
    await worker.printed("RuntimeError: flask boom")
    expect((await ask("/nowhere")).status).toBe(404)
    const head = await ask("/hello/ann", { method: "HEAD" })
    expect(head.bytes).toBe(0)
    expect(Number(header(head, "content-length"))).toBeGreaterThan(10)
  })
})

describeWith(["django"], "Django, unmodified", () => {
  beforeAll(() => open("django_app"))
  afterAll(() => worker.stop())

  test("ORM and template, below a prefix", async () => {
    expect((await ask("/users/", { prefix: "/shop" })).body.toString()).toBe("<b>ann</b> at /shop/users/")
    const facts = await ask("/body/", { prefix: "/shop", scheme: "https" })
    expect(JSON.parse(facts.body.toString())).toMatchObject({ secure: true, url: "https://example.com:8080/shop/users/" })
  })

  test.each(["Content-Length", "chunked"])("an upload and a body: %s", async how => {
    const length = how === "chunked" ? { length: "-1" } : {}
    expect(JSON.parse((await ask("/upload/", { ...upload, ...length })).body.toString())).toEqual({ bytes: 100_000, user: "ann" })
    const raw = await ask("/body/", { method: "POST", body: "x".repeat(5000), headers: ["Host", "h", "Content-Type", "text/x"], ...length })
    expect(JSON.parse(raw.body.toString())).toMatchObject({ bytes: 5000, length: "5000" })
  })

  test("CSRF, stream, file, redirect, 404", async () => {
    expect((await ask("/protected/", { method: "POST", body: "a=b", headers: ["Host", "h", "Content-Type", form] })).status).toBe(403)
    expect((await ask("/stream/")).body.toString()).toBe("row 0\nrow 1\nrow 2\n")
    const file = await ask("/file/")
    expect(file.body.toString()).toContain("A Django project in one file")
    expect(header(file, "content-disposition")).toContain("django_app.py")
    expect(header(await ask("/users"), "location")).toBe("/users/")
    expect((await ask("/nowhere/")).status).toBe(404)
  })
})
