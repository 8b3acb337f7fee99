/** What handlers say of their answers, as it leaves the executable: Location, and headers and cookies beside a Response of their own. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { connect } from "node:net"
import { Edge } from "../kit/edge.ts"

const app = `
import { App } from "edge/app"
import { setCookie } from "hono/cookie"
const app = new App()
app.get("/to", c => c.redirect(c.req.query("to")))
app.get("/to301", c => { c.header("X-A", "b"); return c.redirect(new URL("https://example.com/é?a=%2F"), 301) })
app.get("/self", c => { c.header("Location", "/é"); return c.body(null, 303) })
app.get("/raw", c => new Response(null, { status: 302, headers: { Location: "/é" } }))
app.get("/made", c => { c.header("Location", "/ł"); return new Response(null, { status: 201 }) })
const said = c => { setCookie(c, "a", "1"); setCookie(c, "b", "2"); c.header("X-Said", "c"); c.header("Vary", "X-One", { append: true }); c.header("Vary", "X-Two", { append: true }) }
app.get("/own", c => { said(c); return new Response("own", { status: 202 }) })
app.get("/own-said", c => { said(c); return new Response("own", { headers: [["X-Said", "response"], ["Vary", "X-Two"], ["Set-Cookie", "a=1; Path=/"], ["Set-Cookie", "d=4"]] }) })
app.get("/json", c => { said(c); return Response.json({}) })
app.get("/csv", c => { c.header("Content-Type", "text/csv"); return new Response("a,b") })
app.get("/typed", c => { c.header("Content-Type", "text/csv"); return new Response("a,b", { headers: { "Content-Type": "text/html" } }) })
app.get("/undone", c => { c.header("X-Said", "x"); c.header("X-Said", undefined); c.header("X-Twice", "1"); c.header("x-twice", "2"); return new Response("own") })
app.get("/token", c => { void c.var.csrf.token; said(c); return new Response("own") })
app.get("/redirected", c => { said(c); return Response.redirect("http://a.example/x") })
app.use("/after/*", async (c, next) => { c.header("X-Before", "1"); await next(); c.header("X-After", "2"); c.res.headers.delete("X-Said") })
app.get("/after/own", c => { said(c); return new Response("own") })
app.get("/hono", c => { said(c); return c.text("hono") })
export default app
`

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({ config: `[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "a"\n[app.a]\nentry = "app.ts"\nworkers = 1\nenv = { SECRET_KEY = "only-for-tests-0123456789" }\n`, files: { "app.ts": app } })
}, 60_000)
afterAll(() => edge[Symbol.asyncDispose]())

/** The lines of the head, bytes as they came. */
async function head(target: string): Promise<string[]> {
  const socket = connect(edge.port(), "127.0.0.1")
  socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("latin1").split("\r\n\r\n")[0]!.split("\r\n")
}
const field = (lines: readonly string[], name: string) => lines.filter(line => line.toLowerCase().startsWith(`${name}:`)).map(line => line.slice(name.length + 1).trim())

test("a redirect leaves what is encoded alone and encodes the rest", async () => {
  const location = async (target: string) => field(await head(target), "location")
  const to = (path: string) => location(`/to?to=${encodeURIComponent(path)}`)
  expect(await to("/a%2Fb?next=%2Fx")).toEqual(["/a%2Fb?next=%2Fx"])
  expect(await to("/ł/a%2Fb?next=%2Fx")).toEqual(["/%C5%82/a%2Fb?next=%2Fx"])
  expect(await to("/é")).toEqual(["/%C3%A9"])
  expect(await to("/a\r\nX: y")).toEqual(["/a%0D%0AX:%20y"])
  expect(await head("/to301")).toEqual(expect.arrayContaining(["HTTP/1.1 301 Moved Permanently", "X-A: b"].map(line => expect.stringMatching(new RegExp(`^${RegExp.escape(line)}$`, "i")) as never)))
  expect(await location("/to301")).toEqual(["https://example.com/%C3%A9?a=%2F"])
  // However it is made.
  expect(await location("/self")).toEqual(["/%C3%A9"])
  expect(await location("/raw")).toEqual(["/%C3%A9"])
  expect(await location("/made")).toEqual(["/%C5%82"])
})

test("headers and cookies that were set on c come with a Response of the handler's own", async () => {
  const own = await head("/own")
  expect(own[0]).toBe("HTTP/1.1 202 Accepted")
  expect(field(own, "set-cookie")).toEqual(["a=1; Path=/", "b=2; Path=/"])
  expect([field(own, "x-said"), field(own, "vary").join(", ")]).toEqual([["c"], "X-One, X-Two"])
  const said = await head("/own-said")
  expect(field(said, "set-cookie").toSorted()).toEqual(["a=1; Path=/", "b=2; Path=/", "d=4"])
  expect([field(said, "x-said"), field(said, "vary").join(", ")]).toEqual([["response"], "X-Two, X-One"])
  const json = await head("/json")
  expect([field(json, "content-type"), field(json, "set-cookie").length]).toEqual([["application/json;charset=utf-8"], 2])
  expect(field(await head("/csv"), "content-type")).toEqual(["text/csv"])
  expect(field(await head("/typed"), "content-type")).toEqual(["text/html"])
  const undone = await head("/undone")
  expect([field(undone, "x-said"), field(undone, "x-twice")]).toEqual([[], ["2"]])
  expect(field(await head("/redirected"), "set-cookie")).toHaveLength(2)
})

test("the app's own cookie beside them, and what middleware does afterwards", async () => {
  expect(field(await head("/token"), "set-cookie").map(line => line.split("=")[0])).toEqual(["a", "b", "csrf"])
  const after = await head("/after/own")
  expect([field(after, "x-before"), field(after, "x-after"), field(after, "x-said"), field(after, "set-cookie").length]).toEqual([["1"], ["2"], [], 2])
  const hono = await head("/hono")
  expect([field(hono, "x-said"), field(hono, "set-cookie").length]).toEqual([["c"], 2])
})
