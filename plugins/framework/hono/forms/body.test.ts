/** Bodies of forms: what is kept, what is bounded, what is refused, and that nothing is left behind. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Hono } from "hono"
import { HTTPException } from "hono/http-exception"
import * as v from "valibot"
import { LocalFiles } from "../files/local.ts"
import { useFiles } from "../files/storage.ts"
import { readBody, releaseBody } from "./body.ts"
import type { BodyLimits, FileRules, FormBody } from "./form-body.ts"
import { form } from "./form.ts"
import { Upload } from "./upload.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-body-"))
beforeAll(() => useFiles(new LocalFiles({ dir })))
afterAll(() => {
  useFiles(undefined)
  rmSync(dir, { recursive: true })
})
const temps = () => readdirSync(dir, { recursive: true }).filter(name => statSync(join(dir, String(name))).isFile())
afterEach(() => expect(temps()).toEqual([]))

const rules: FileRules = name => (name === "one" ? { maxBytes: 1000, maxFiles: 1 } : name === "many" ? { maxBytes: 1000, maxFiles: 3 } : undefined)

/** What the handler saw; the answer's status. */
async function send(body: BodyInit | null, options: { type?: string; limits?: Partial<BodyLimits>; rules?: FileRules } = {}) {
  let seen: { texts: Record<string, string[]>; uploads: Record<string, { name: string; type: string; text: string }[]>; faults: Record<string, string>; temps: number } | undefined
  const app = new Hono().onError(error => (error instanceof HTTPException ? error.getResponse() : new Response(null, { status: 500 })))
  app.post("/", async c => {
    try {
      const read: FormBody = await readBody(c, options.rules ?? rules, options.limits)
      const uploads: Record<string, { name: string; type: string; text: string }[]> = {}
      for (const [name, list] of read.uploads) uploads[name] = await Promise.all(list.map(async file => ({ name: file.name, type: file.type, text: await file.text() })))
      seen = { texts: Object.fromEntries(read.texts), uploads, faults: Object.fromEntries([...read.faults].map(([name, { code }]) => [name, code])), temps: temps().length }
      expect(await readBody(c, () => undefined)).toBe(read)
      return c.text("ok")
    } finally {
      await releaseBody(c)
    }
  })
  const answer = await app.request("/", { method: "POST", body, ...(options.type !== undefined && { headers: { "content-type": options.type } }) })
  return { status: answer.status, seen: seen! }
}

/** A multipart body as a hostile client writes it. */
const raw = (...parts: string[]) => ({ body: `${parts.map(part => `--b\r\n${part}\r\n`).join("")}--b--\r\n`, type: "multipart/form-data; boundary=b" })
const field = (name: string, value: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
const file = (name: string, filename: string, data: string, type = "text/plain") => `Content-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: ${type}\r\n\r\n${data}`
const sendRaw = (parts: string[], options: Parameters<typeof send>[1] = {}) => {
  const { body, type } = raw(...parts)
  return send(body, { type, ...options })
}

test("texts and files, in their order; names as the client wrote them, types as the bytes show", async () => {
  const data = new FormData()
  for (const value of ["1", "2"]) data.append("a", value)
  data.append("__proto__", "x")
  data.append("many", new File(["<html>"], "zażółć.png", { type: "image/png" }))
  data.append("many", new File(["second"], "b.txt"))
  const { status, seen } = await send(data)
  expect(status).toBe(200)
  expect(Object.entries(seen.texts)).toEqual([["a", ["1", "2"]], ["__proto__", ["x"]]])
  expect(seen.uploads.many).toEqual([{ name: "zażółć.png", type: "text/html", text: "<html>" }, { name: "b.txt", type: "text/plain", text: "second" }])
  expect(seen.temps).toBe(2)
})

test("parts without a name, or with nothing at all, are nobody's", async () => {
  const parts = ["Content-Disposition: form-data\r\n\r\nx", 'Content-Disposition: form-data; filename="x"\r\n\r\nx', "X: y\r\n\r\nx", "Content-Disposition: attachment\r\n\r\nx", field("", "empty"), field("a", "1")]
  const { status, seen } = await sendRaw(parts)
  expect([status, seen.texts.a, Object.keys(seen.uploads)]).toEqual([200, ["1"], []])
})

/** Changed at random, always in the same way: bytes, pieces cut out, repeated, cut off. */
function* mutants(base: Buffer, count: number): Generator<Buffer> {
  let seed = 12_345
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) % below
  for (let i = 0; i < count; i++) {
    let made = Buffer.from(base)
    for (let changes = random(6); changes >= 0; changes--) {
      const at = random(made.length)
      const kind = random(4)
      if (kind === 0) made[at] = random(256)
      else if (kind === 1) made = Buffer.concat([made.subarray(0, at), made.subarray(at + random(200))])
      else if (kind === 2) made = Buffer.concat([made.subarray(0, at), made.subarray(random(made.length)), made.subarray(at)])
      else made = Buffer.from(made.subarray(0, at))
      if (made.length === 0) made = Buffer.from("-")
    }
    yield made
  }
}

test("whatever comes, there is an answer, and nothing is left", async () => {
  const { body, type } = raw(field("a", "v"), file("one", "x", "y".repeat(900)), `Content-Disposition: form-data; name="many"; filename*=UTF-8''%e2%82%ac.txt\r\n\r\n${"z".repeat(3000)}`)
  const statuses = new Set<number>()
  for (const mutant of mutants(Buffer.from(body), 1500)) statuses.add((await send(new Uint8Array(mutant), { type, limits: { textBytes: 3000, fields: 8, files: 4, fileBytes: 3000 } })).status)
  expect([...statuses].toSorted()).toEqual([200, 400, 413])
}, 60_000)

test("paths in names are cut off", async () => {
  const { seen } = await sendRaw([file("many", "../../etc/passwd", "x"), file("many", "C:\\\\dir\\\\x.txt", "y")])
  expect(seen.uploads.many!.map(({ name }) => name)).toEqual(["passwd", "x.txt"])
})

test("a file for which there is no field is read past and never kept", async () => {
  const { status, seen } = await sendRaw([file("other", "x.bin", "x".repeat(500_000)), field("a", "1"), file("one", "", "")])
  expect([status, seen.temps, seen.texts.a, seen.uploads]).toEqual([200, 0, ["1"], {}])
})

test("files that a second form of the page wants and the first did not are an error, not lost", async () => {
  const picture = v.object({ file: v.optional(v.file()) })
  const [first, second] = [form(picture, { prefix: "a-" }), form(picture, { prefix: "b-" })]
  const both: FileRules = name => first.rules()(name) ?? second.rules()(name)
  const app = new Hono().post("/:how", async c => {
    try {
      if (c.req.param("how") === "right") await readBody(c, both)
      const [a, b] = [await first.read(c), await second.read(c)]
      return c.json([a.values.file?.name, b.values.file?.name])
    } finally {
      await releaseBody(c)
    }
  })
  const post = (how: string, ...names: string[]) => {
    const data = new FormData()
    for (const name of names) data.append(name, new File(["x"], name))
    return app.onError((error, c) => c.text(error.message)).request(`/${how}`, { method: "POST", body: data })
  }
  expect(await (await post("right", "a-file", "b-file", "c-file")).json()).toEqual(["a-file", "b-file"])
  expect(await (await post("wrong", "a-file", "b-file")).text()).toStartWith('the files of "b-file" were read past')
  expect(await (await post("wrong", "a-file", "c-file")).json()).toEqual(["a-file", null])
})

test("too large, and too many: an error of the field; the rest is there", async () => {
  const large = await sendRaw([file("one", "x", "x".repeat(1001)), field("a", "1")])
  expect([large.status, large.seen.faults, large.seen.texts.a, large.seen.uploads]).toEqual([200, { one: "fileTooLarge" }, ["1"], { one: [] }])
  const fits = await sendRaw([file("one", "x", "x".repeat(1000))])
  expect(fits.seen.uploads.one![0]!.text).toHaveLength(1000)
  const many = await sendRaw(Array.from({ length: 5 }, (_, i) => file("many", `${i}`, `${i}`)))
  expect([many.seen.faults, many.seen.uploads.many!.map(({ text }) => text)]).toEqual([{ many: "tooManyFiles" }, ["0", "1", "2"]])
})

test("past the limits of a body: 413, and nothing is left", async () => {
  const cases: [string[], Partial<BodyLimits>][] = [
    [[field("a", "x".repeat(101))], { textBytes: 100 }],
    [Array.from({ length: 4 }, (_, i) => field(`a${i}`, "x".repeat(30))), { textBytes: 100 }],
    [Array.from({ length: 11 }, () => field("a", "")), { fields: 10 }],
    [Array.from({ length: 3 }, () => file("many", "x", "x")), { files: 2 }],
    [Array.from({ length: 3 }, () => file("many", "x", "x".repeat(400))), { fileBytes: 1000 }],
  ]
  for (const [parts, limits] of cases) expect([parts[0]!.slice(0, 60), (await sendRaw(parts, { limits })).status]).toEqual([parts[0]!.slice(0, 60), 413])
  const type = "application/x-www-form-urlencoded"
  expect((await send(`a=${"x".repeat(200)}`, { type, limits: { textBytes: 100 } })).status).toBe(413)
  expect((await send("a&".repeat(11), { type, limits: { fields: 10 } })).status).toBe(413)
})

test("broken off, malformed or of another kind: 400 and 415, and nothing is left", async () => {
  const { body } = raw(file("one", "x", "x".repeat(900)))
  const multipart = "multipart/form-data; boundary=b"
  const cases: [BodyInit | null, string | undefined, number][] = [
    [body.slice(0, -20), multipart, 400],
    ["", multipart, 400],
    ["nonsense", multipart, 400],
    [body, "multipart/form-data", 415],
    [body, "multipart/form-data; x=y", 400],
    [body, "multipart/mixed; boundary=b", 415],
    ['{"a":1}', "application/json", 415],
    ["a=1", "text/plain", 415],
    [null, undefined, 200],
  ]
  for (const [sent, type, status] of cases) expect([type, (await send(sent, type === undefined ? {} : { type })).status]).toEqual([type, status])
})

test("a disk that is gone or full is an error of the server, at once", async () => {
  const parts = [file("one", "x", "x".repeat(900)), file("other", "y", "y".repeat(500_000)), field("a", "1")]
  const gone: FileRules = name => {
    rmSync(join(dir, ".uploads"), { recursive: true, force: true })
    return rules(name)
  }
  expect((await sendRaw(parts, { rules: gone })).status).toBe(500)
  expect((await sendRaw(parts)).status).toBe(200)
  await Bun.write(join(dir, "file"), "")
  useFiles(new LocalFiles({ dir: join(dir, "file") }))
  expect((await sendRaw(parts)).status).toBe(500)
  useFiles(new LocalFiles({ dir }))
  rmSync(join(dir, "file"))
})

test("a client that goes away leaves nothing", async () => {
  const { body, type } = raw(file("one", "x", "x".repeat(900)))
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from(body.slice(0, 500)))
    },
    pull(controller) {
      controller.error(new Error("gone"))
    },
  })
  expect((await send(stream, { type })).status).toBe(400)
})

test("a form of a schema has the files themselves", async () => {
  const Sent = form(v.object({ note: v.string(), papers: v.array(v.pipe(v.file(), v.mimeType(["text/plain"]), v.maxSize(100))) }))
  const app = new Hono().post("/", async c => {
    const bound = await Sent.read(c)
    const first = bound.ok ? bound.values.papers[0] : undefined
    const told = bound.ok ? [first instanceof Upload, first?.size, await first!.text(), await first!.slice(1, 3).text()] : bound.errors
    await releaseBody(c)
    return c.json(told)
  })
  const post = async (...files: File[]) => {
    const data = new FormData()
    data.append("note", "n")
    for (const one of files) data.append("papers", one)
    return (await app.request("/", { method: "POST", body: data })).json()
  }
  expect(await post(new File(["words"], "x"))).toEqual([true, 5, "words", "or"])
  expect(await post(new File(["<html>"], "x.txt"))).toEqual({ papers: "Files of this kind are not taken; please choose TXT." })
  expect(await post(new File(["x".repeat(101)], "x.txt"))).toEqual({ papers: "The file is too large; at most 100 bytes." })
})
