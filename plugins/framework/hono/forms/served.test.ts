/** Forms and uploads through the executable, on SQLite and PostgreSQL. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Edge, until } from "../../../../test/kit/edge.ts"
import { describeWith, found } from "../../../../test/kit/needs.ts"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { png } from "../testdata/png.ts"
import { peakMemory, serveApp } from "../testdata/served-app.ts"

const source = `
import { App } from "edge/app"
import { file, image, many, model, text } from "edge/db"
import { form, formset, FormView, saveAll } from "edge/forms"

const Tag = model("tag", { name: text({ max: 20 }) })
const Album = model("album", {
  title: text({ max: 50, unique: true }),
  cover: image({ optional: true, maxBytes: 1_000_000 }),
  attachment: file({ optional: true, maxBytes: 400_000_000 }),
  tags: many(Tag),
})
const AlbumForm = form(Album)
const Tags = formset(form(Tag), { prefix: "tag", max: 3 })
const app = new App({ models: [Tag, Album] })

app.all("/new", async c => {
  const bound = await AlbumForm.handle(c)
  const row = await bound.save()
  if (row) return c.redirect("/" + row.id, 303)
  c.status(bound.status)
  return c.render(<FormView form={bound} />)
})
app.get("/tags", async c => c.json(await Tag.order("id").pluck("name")))
app.all("/tags/edit", async c => {
  const set = await Tags.handle(c, { rows: await Tag.order("id") })
  if (await saveAll(set)) return c.redirect("/tags", 303)
  const empty = form(Tag, { only: [] }).blank(c)
  return c.render(<FormView form={empty} formsets={[set]} />)
})
app.get("/:id{[0-9]+}", async c => c.json(await Album.with("tags").get(Number(c.req.param("id")))))
app.all("/:id{[0-9]+}/edit", async c => {
  const row = await Album.get(Number(c.req.param("id")))
  const bound = await AlbumForm.handle(c, { row })
  if (await bound.save()) return c.redirect("/" + row.id, 303)
  c.status(bound.status)
  return c.render(<FormView form={bound} />)
})
app.post("/fails", async c => {
  await AlbumForm.read(c)
  throw new Error("after the upload")
})
export default app
`

/** Sends forms as a browser does: cookie, token first. */
class Visitor {
  cookie = ""
  token = ""
  constructor(readonly edge: Edge) {}

  async show(path: string): Promise<string> {
    const answer = await fetch(this.edge.url(path), { headers: this.cookie === "" ? {} : { cookie: this.cookie } })
    this.cookie = answer.headers.getSetCookie()[0]?.split(";")[0] ?? this.cookie
    const html = await answer.text()
    this.token = /name="_csrf" value="([^"]+)"/.exec(html)?.[1] ?? this.token
    return html
  }

  send(path: string, fields: Record<string, string | string[] | File>): Promise<Response> {
    const form = new FormData()
    form.append("_csrf", this.token)
    for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) form.append(name, one as string)
    return fetch(this.edge.url(path), { method: "POST", body: form, redirect: "manual", headers: { cookie: this.cookie } })
  }
}

const picture = (data: Uint8Array, name = "x.png") => new File([data as Uint8Array<ArrayBuffer>], name, { type: "image/png" })

interface Album {
  id: number
  title: string
  cover: string | null
  attachment: string | null
  tags: { name: string }[]
}

function suite(databaseUrl: () => Promise<string | undefined>, app = "workers = 1"): void {
  let edge: Edge
  let visitor: Visitor
  beforeAll(async () => {
    const url = await databaseUrl()
    edge = await serveApp({ source, app, limits: 'limits = { body = "500mb" }', ...(url !== undefined && { databaseUrl: url }) })
    visitor = new Visitor(edge)
  }, 60_000)
  afterAll(() => edge?.[Symbol.asyncDispose]())
  const temps = () => {
    const dir = join(edge.dir, "media", ".uploads")
    return existsSync(dir) ? readdirSync(dir) : []
  }
  const read = async (answer: Response) => (await fetch(edge.url(answer.headers.get("location")!))).json() as Promise<Album>

  test("rows of a formset, then a form with relations and a picture", async () => {
    await visitor.show("/tags/edit")
    const made = await visitor.send("/tags/edit", { "tag-total": "2", "tag-0-name": "sea", "tag-1-name": "sun" })
    expect(made.status).toBe(303)
    expect(await (await fetch(edge.url("/tags"))).json()).toEqual(["sea", "sun"])
    const page = await visitor.show("/new")
    expect(page).toContain('enctype="multipart/form-data"')
    const [, first] = /name="tags" value="(\d+)"/.exec(page)!
    const answer = await visitor.send("/new", { title: "Coast", tags: [first!], cover: picture(png(400, 300), "../../cover.html") })
    expect(answer.status).toBe(303)
    const album = await read(answer)
    expect(album).toMatchObject({ title: "Coast", attachment: null, tags: [{ name: "sea" }] })
    expect(album.cover).toMatch(/^\d{4}\/\d{2}\/cover-[a-z0-9]{12}\.png$/)
    const small = await fetch(edge.url(`/media/w160/${album.cover}`))
    expect([small.status, small.headers.get("content-type")]).toEqual([200, "image/webp"])
    const part = await fetch(edge.url(`/media/${album.cover}`), { headers: { range: "bytes=1-3" } })
    expect([part.status, part.headers.get("content-length"), await part.text()]).toEqual([206, "3", "PNG"])
    expect(temps()).toEqual([])
  })

  test("a page that is sent again as shown keeps all; a ticked box removes the picture and its file", async () => {
    const edit = await visitor.show("/1/edit")
    expect(edit).toContain('alt="Now: cover-')
    const [, tag] = /name="tags" value="(\d+)" checked/.exec(edit)!
    const kept = await read(await visitor.send("/1/edit", { title: "Coast 2", tags: [tag!] }))
    expect(kept).toMatchObject({ title: "Coast 2", tags: [{ name: "sea" }] })
    expect(existsSync(join(edge.dir, "media", kept.cover!))).toBe(true)
    const cleared = await read(await visitor.send("/1/edit", { title: "Coast 2", cover__clear: "on" }))
    expect(cleared).toMatchObject({ cover: null, tags: [] })
    expect(existsSync(join(edge.dir, "media", kept.cover!))).toBe(false)
  })

  test("HTML and SVG as a picture, an image bomb, and what is too large are errors at the field; nothing is left", async () => {
    const files: [File, RegExp][] = [
      [new File(["<script>alert(1)</script>"], "x.png", { type: "image/png" }), /Files of this kind are not taken; please choose PNG, JPG, WEBP, or GIF\./],
      [new File(["<svg onload='alert(1)'/>"], "x.png", { type: "image/png" }), /Files of this kind/],
      [picture(png(60_000, 60_000, Buffer.alloc(100))), /This picture has too many pixels\./],
      [picture(png(10, 10).subarray(0, 20)), /This is not a picture that can be read\./],
      [new File([Buffer.alloc(1_000_001)], "x.png", { type: "image/png" }), /The file is too large; at most 1 MB\./],
    ]
    for (const [cover, words] of files) {
      const answer = await visitor.send("/new", { title: "Bad", cover })
      expect(answer.status).toBe(422)
      expect(await answer.text()).toMatch(words)
    }
    await until(() => temps().length === 0)
  })

  test("HTML as an attachment is kept and never served as a page; a zip stays packed", async () => {
    const html = new File(["<!doctype html><script>alert(1)</script>"], "notes.txt", { type: "text/plain" })
    const album = await read(await visitor.send("/new", { title: "Attached", attachment: html }))
    const served = await fetch(edge.url(`/media/${album.attachment}`))
    expect(album.attachment).toEndWith(".html")
    expect([served.headers.get("content-type"), served.headers.get("x-content-type-options")]).toEqual(["application/octet-stream", "nosniff"])
    expect(served.headers.get("content-disposition")).toStartWith("attachment")
    expect(served.headers.get("content-security-policy")).toContain("sandbox")
    const bomb = Bun.gzipSync(Buffer.alloc(20_000_000))
    const zipped = await read(await visitor.send("/new", { title: "Packed", attachment: picture(bomb, "x.gz") }))
    expect(Bun.file(join(edge.dir, "media", zipped.attachment!)).size).toBe(bomb.byteLength)
  })

  test("a value that must be unique: the error is at its field, the upload is not kept", async () => {
    const count = () => readdirSync(join(edge.dir, "media"), { recursive: true }).length
    const before = count()
    const answer = await visitor.send("/new", { title: "Attached", attachment: new File(["x"], "x.txt") })
    expect(answer.status).toBe(422)
    const page = await answer.text()
    expect(page).toContain('id="f-title-error">There is one with this value already.')
    expect(page).toContain("Please choose the file again.")
    expect(count()).toBe(before)
  })

  test("without the token nothing is read; temporary files go when the handler fails, and when the client leaves", async () => {
    const { token } = visitor
    visitor.token = "forged"
    expect((await visitor.send("/new", { title: "x", attachment: new File(["x"], "x") })).status).toBe(403)
    visitor.token = token
    expect((await visitor.send("/fails", { title: "x", attachment: new File(["x".repeat(100_000)], "x") })).status).toBe(500)
    await until(() => temps().length === 0)
    const boundary = "--b\r\nContent-Disposition: form-data; name="
    const begin = `${boundary}"_csrf"\r\n\r\n${token}\r\n${boundary}"attachment"; filename="x"\r\n\r\n${"x".repeat(200_000)}`
    const head = `POST /new HTTP/1.1\r\nHost: x\r\nCookie: ${visitor.cookie}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n`
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: edge.port(), socket: { data() {} } })
    socket.write(head + begin)
    socket.flush()
    await until(() => temps().length === 1)
    socket.terminate()
    await until(() => temps().length === 0)
  })

  test("300 MB go to the disk in flat memory", async () => {
    const dir = mkdtempSync(join(tmpdir(), "edge-upload-"))
    try {
      const big = join(dir, "big.bin")
      const block = Buffer.alloc(1 << 20, "0123456789abcdef\n")
      const sink = Bun.file(big).writer()
      for (let i = 0; i < 300; i++) {
        void sink.write(block)
        await sink.flush()
      }
      await sink.end()
      const { apps, fronts } = await edge.status()
      const pids = [...(apps[0]?.workers ?? []), ...fronts].map(({ pid }) => pid)
      const before = await Promise.all(pids.map(peakMemory))
      const curl = Bun.spawn([found("curl")!, "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "-b", visitor.cookie, "-F", `_csrf=${visitor.token}`, "-F", "title=Big", "-F", `attachment=@${big}`, edge.url("/new")])
      const said = await new Response(curl.stdout).text()
      expect(said).toStartWith("303 ")
      const after = await Promise.all(pids.map(peakMemory))
      for (const [i, peak] of after.entries()) expect(peak - before[i]!).toBeLessThan(120_000_000)
      const album = (await (await fetch(said.slice(4))).json()) as Album
      const kept = Bun.file(join(edge.dir, "media", album.attachment!))
      expect(kept.size).toBe(300 << 20)
      expect(await kept.slice(299 << 20).text()).toBe(block.toString())
      rmSync(join(edge.dir, "media", album.attachment!))
    } finally {
      rmSync(dir, { recursive: true })
    }
  }, 120_000)
}

describeWith(["curl"], "SQLite", () => suite(async () => undefined))

describeWith(["curl"], "SQLite, inside the fronts", () => suite(async () => undefined, 'gateway = "inline"'))

describeWith(["curl", "postgresql"], "PostgreSQL", () => {
  let postgres: Postgres
  suite(async () => {
    postgres = await Postgres.start()
    return postgres.database("forms")
  })
  afterAll(async () => postgres?.[Symbol.asyncDispose]())
})
