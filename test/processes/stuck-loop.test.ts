/** An event loop that does not turn any more: nothing new goes to it from the first deadline on, and it is replaced. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Edge, until } from "../kit/edge.ts"

const typescript = `
export default { async fetch(request) {
  const { pathname } = new URL(request.url)
  if (pathname.endsWith("/spin")) for (;;);
  if (pathname.endsWith("/never")) await new Promise(() => {})
  return new Response(String(process.pid))
} }
`
const python = `
import asyncio, os
async def app(scope, receive, send):
    if scope["type"] != "http": return
    if scope["path"].endswith("/spin"):
        while True: pass
    if scope["path"].endswith("/never"): await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
`
const config = `
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/fetch/*"
app = "fetch"
[[site.route]]
path = "/asgi/*"
app = "asgi"
[app.fetch]
entry = "app.ts"
timeout = "1s"
[app.asgi]
runtime = "asgi"
entry = "a:app"
python = "/usr/bin/python3"
timeout = "1s"
`

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({ config, files: { "app.ts": typescript, "a.py": python } })
}, 60_000)
afterAll(() => edge?.[Symbol.asyncDispose]())

const ask = async (path: string) => {
  const answer = await fetch(edge.url(path), { keepalive: false })
  return { status: answer.status, text: await answer.text() }
}
const running = async (app: string) => (await edge.status()).apps.find(a => a.name === app)!.workers

describe.each(["fetch", "asgi"])("%s", app => {
  test("a request that is late in a loop that turns costs the worker nothing", async () => {
    const { text: pid } = await ask(`/${app}/`)
    expect((await ask(`/${app}/never`)).status).toBe(504)
    expect(await ask(`/${app}/`)).toEqual({ status: 200, text: pid })
    expect((await running(app)).map(w => w.pid)).toEqual([Number(pid)])
  })

  test("workers = 1: what comes after the first 504 waits for the replacement, and is answered", async () => {
    const { text: stuck } = await ask(`/${app}/`)
    expect((await ask(`/${app}/spin`)).status).toBe(504)
    const after = await Promise.all(Array.from({ length: 8 }, () => ask(`/${app}/`)))
    expect(after.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200))
    for (const { text } of after) expect(text).not.toBe(stuck)
    await until(async () => (await running(app)).every(w => w.pid !== Number(stuck)))
    await edge.heard(new RegExp(`worker stuck: GET /${app}/spin .*app=${app}|app=${app}.*worker stuck`))
  }, 30_000)
})
