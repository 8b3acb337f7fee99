/** The admin through the executable: what a request made by hand can reach, and what it cannot. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import type { Edge } from "../../../../test/kit/edge.ts"
import { EVIL, PASSWORD, serveNewsroom } from "./testdata/served.ts"

/** A browser without a screen: cookies, forms, tokens. */
class Visitor {
  readonly #cookies = new Map<string, string>()
  constructor(readonly edge: Edge) {}

  async ask(path: string, init: RequestInit = {}): Promise<{ status: number; text: string; location: string; headers: Headers }> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const answer = await fetch(this.edge.url(path), { redirect: "manual", ...init, headers: { cookie, ...init.headers } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      this.#cookies.set(name!, value!)
    }
    return { status: answer.status, text: await answer.text(), location: answer.headers.get("location") ?? "", headers: answer.headers }
  }

  /** Opens `page` for a token, then sends the fields to `path`. */
  async send(path: string, fields: Record<string, string | string[]>, page = "/admin"): Promise<Awaited<ReturnType<Visitor["ask"]>>> {
    const { text } = await this.ask(page)
    const body = new URLSearchParams({ _csrf: /name="_csrf" value="([^"]+)"/.exec(text)?.[1] ?? "" })
    const version = /name="_version" value="([^"]+)"/.exec(text)?.[1]
    if (version !== undefined && !("_version" in fields)) body.set("_version", version)
    for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) body.append(name, one)
    return this.ask(path, { method: "POST", body })
  }

  async login(email: string): Promise<this> {
    const answer = await this.send("/login", { email, password: PASSWORD }, "/login")
    expect(answer.status).toBe(303)
    return this
  }
}

let edge: Edge
let boss: Visitor
let ann: Visitor
const ids = new Map<string, string>()

beforeAll(async () => {
  edge = await serveNewsroom()
  boss = await new Visitor(edge).login("boss@x.org")
  ann = await new Visitor(edge).login("ann@x.org")
  for (const row of JSON.parse((await boss.ask("/admin/post/export.json")).text) as { id: number; title: string }[]) ids.set(row.title, String(row.id))
}, 120_000)
afterAll(() => edge?.[Symbol.asyncDispose]())

test("a new visitor is led to the login and back", async () => {
  const visitor = new Visitor(edge)
  expect((await visitor.ask("/admin/post")).location).toBe("/login?next=%2Fadmin%2Fpost")
  const back = await visitor.send("/login?next=%2Fadmin%2Fpost", { email: "boss@x.org", password: PASSWORD, next: "/admin/post" }, "/login?next=%2Fadmin%2Fpost")
  expect([back.status, back.location]).toEqual([303, "/admin/post"])
})

test("rows of others cannot be reached: by id, list, action, export, choices, deletion, history", async () => {
  const foreign = ids.get("Post 1")!
  const own = ids.get("Own post")!
  for (const path of [`/${foreign}`, `/${foreign}/history`, `/${foreign}/delete`]) expect([path, (await ann.ask(`/admin/post${path}`)).status]).toEqual([path, 404])
  expect((await ann.send(`/admin/post/${foreign}`, { title: "Taken" })).status).toBe(404)
  expect((await ann.send(`/admin/post/${foreign}/delete`, {})).status).toBe(404)
  expect((await ann.send(`/admin/post/${own}/delete`, {})).status).toBe(403)
  const list = (await ann.ask("/admin/post")).text
  expect([list.includes("Own post"), list.includes("Post 1")]).toEqual([true, false])
  expect((await ann.ask("/admin/post/export.csv")).text.split("\r\n").length).toBe(3)
  await ann.send("/admin/post/action", { action: "publish", id: [foreign, own], confirm: "1", count: "2" })
  const states = JSON.parse((await boss.ask("/admin/post/export.json")).text) as { id: number; state: string }[]
  expect(states.filter(row => row.state === "live").map(row => String(row.id))).toEqual([own])
  const choices = JSON.parse((await ann.ask("/admin/comment/choices/post", { headers: { accept: "application/json" } })).text) as { choices: { title: string }[] }
  expect(choices.choices.map(choice => choice.title)).toEqual(["Own post"])
  expect((await ann.send("/admin/post/action", { action: "delete", id: own, confirm: "1", count: "1" })).status).toBe(403)
  expect((await ann.ask("/admin/user/1/delete")).status).toBe(403)
  expect((await ann.ask("/admin/group")).status).toBe(404)
})

test("inner rows cannot be reached through the outer form, and fields that are read only not at all", async () => {
  const own = `/admin/post/${ids.get("Own post")!}`
  const fields = { title: "Own post", slug: "own-post", section: "1", author: "2", state: "draft" }
  const sent = await ann.send(own, { ...fields, featured: "on", id: "999", "comment-total": "1", "comment-0-__id": "1", "comment-0-name": "Taken", "comment-0-text": "x" }, own)
  expect(sent.status).toBe(303)
  const comments = JSON.parse((await boss.ask("/admin/comment/export.json")).text) as { name: string }[]
  expect(comments.map(comment => comment.name).toSorted()).toEqual([EVIL, "Jo"].toSorted())
  const row = (JSON.parse((await boss.ask("/admin/post/export.json?q=Own")).text) as { featured: boolean }[])[0]!
  expect(row.featured).toBe(false)
  const stranger = await boss.send(own, { ...fields, "comment-total": "1", "comment-0-__id": "2", "comment-0-name": "Taken", "comment-0-text": "x" }, own)
  expect(stranger.status).toBe(422)
})

test("every form needs its token, and its own site", async () => {
  const id = ids.get("Post 2")!
  for (const path of ["/admin/post/add", `/admin/post/${id}`, `/admin/post/${id}/delete`, "/admin/post/action", "/admin/-/theme", "/admin/-/report", "/logout"]) {
    const bare = await boss.ask(path, { method: "POST", body: new URLSearchParams({ action: "delete", id, confirm: "1", count: "1" }) })
    expect([path, bare.status]).toEqual([path, 403])
    const cross = await boss.ask(path, { method: "POST", body: "{}", headers: { origin: "https://evil.example", "content-type": "application/json" } })
    expect([path, cross.status]).toEqual([path, 403])
    const wrong = new Visitor(edge)
    const token = /name="_csrf" value="([^"]+)"/.exec((await wrong.ask("/login")).text)![1]!
    expect([path, (await boss.ask(path, { method: "POST", body: new URLSearchParams({ _csrf: token, action: "delete", id, confirm: "1", count: "1" }) })).status]).toEqual([path, 403])
  }
  expect((await boss.ask(`/admin/post/${id}`)).status).toBe(200)
})

test("hostile names stay text in every page, and a spreadsheet is not made to run them", async () => {
  const id = ids.get(EVIL)!
  for (const path of ["", "/post", `/post?q=${encodeURIComponent(EVIL)}`, `/post/${id}`, `/post/${id}/delete`, "/section", "/section/3", "/section/3/delete", "/tag", "/comment", "/comment/1", "/post/add", "/post/choices/section"]) {
    const { status, text, headers } = await boss.ask(`/admin${path}`)
    expect([path, status]).toEqual([path, 200])
    expect([path, text.includes("<img src=x"), text.includes("<script>window")]).toEqual([path, false, false])
    expect(headers.get("content-security-policy")).toStartWith("default-src 'none'; script-src 'nonce-")
  }
  await boss.send("/admin/tag/add", { name: "=cmd|'/c calc'!A0" })
  expect((await boss.ask("/admin/tag/export.csv?q=cmd")).text).toContain(`"'=cmd|'/c calc'!A0"`)
})

test("ticked rows, all pages, and what they take along", async () => {
  const asked = await boss.send("/admin/post/action?q=Post+6", { action: "delete", all: "1" })
  expect(asked.status).toBe(200)
  expect(asked.text).toContain("16 in all")
  const done = await boss.send("/admin/post/action?q=Post+6", { action: "delete", all: "1", confirm: "1", count: "16" })
  expect([done.status, done.location]).toEqual([303, "/admin/post?q=Post+6"])
  expect((await boss.ask("/admin/post?q=Post+6")).text).toContain("No posts match")
  const assets = [...(await boss.ask("/admin")).text.matchAll(/(?:src|href)="([^"]+\/assets\/[^"]+)"/g)].map(match => match[1]!)
  expect(assets.length).toBe(4)
  for (const path of assets) expect([path, (await new Visitor(edge).ask(path)).headers.get("cache-control")]).toEqual([path, "public, max-age=31536000, immutable"])
})
