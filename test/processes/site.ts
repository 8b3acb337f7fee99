/** Configs for tests of the processes. */

export const pong = (text = "pong", more = ""): string => `
[server]
fronts = 2
pid_file = "edge.pid"
${more}
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/ping"
respond = { status = 200, body = "${text}" }
[[site.route]]
path = "/app/*"
app = "app"
`

/** Answers when a file appears, streams until one appears, echoes over a WebSocket: time is in the test's hand. */
export const app = `
import { existsSync } from "node:fs"
import { join } from "node:path"
const gate = async name => { while (!existsSync(join(import.meta.dir, name))) await Bun.sleep(5) }
export default {
  async fetch(request, { server }) {
    const url = new URL(request.url)
    const name = url.searchParams.get("gate")
    if (url.pathname.endsWith("/pid")) return new Response("VERSION " + process.pid)
    if (url.pathname.endsWith("/wait")) {
      Bun.write(join(import.meta.dir, name + ".seen"), "")
      await gate(name)
      return new Response("waited")
    }
    if (url.pathname.endsWith("/stream")) {
      return new Response(async function* () {
        yield "first\\n"
        await gate(name)
        yield "last\\n"
      })
    }
    if (url.pathname.endsWith("/ws") && server.upgrade(request)) return
    return new Response("no such path", { status: 404 })
  },
  websocket: { message: (ws, text) => void ws.send("echo " + text) },
}
`

export const inlineApp = `
[app.app]
entry = "app/app.ts"
gateway = "inline"
`

export const pythonApp = (workers = 2): string => `
[app.app]
runtime = "wsgi"
dir = "app"
entry = "hello:app"
python = "/usr/bin/python3"
workers = ${workers}
`

export const python = (text = "hello"): string => `
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"${text} %d" % os.getpid()]
`
