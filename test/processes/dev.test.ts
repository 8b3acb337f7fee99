import { expect, test } from "bun:test"
import { Edge, until } from "../kit/edge.ts"
import { app, inlineApp, pong, python, pythonApp } from "./site.ts"

const args = ["dev"]
const page = (edge: Edge, path: string) => edge.get(path).catch(() => "")

test("`edge dev` has one front and takes up every save: config, inline app, Python app", async () => {
  const config = pong() + inlineApp
  await using edge = await Edge.start({ config, args, files: { "app/app.ts": app, "app/hello.py": python() } })
  expect((await edge.status()).fronts.length).toBe(1)
  expect(await page(edge, "/app/pid")).toContain("VERSION")
  edge.write("app/app.ts", app.replace("VERSION", "EDITED"))
  await until(async () => (await page(edge, "/app/pid")).includes("EDITED"))
  edge.write("site.toml", config.replace("pong", "changed"))
  await until(async () => (await page(edge, "/ping")) === "changed")
  edge.write("site.toml", pong() + pythonApp(1))
  await until(async () => (await page(edge, "/app/")).startsWith("hello"))
  edge.write("app/hello.py", python("hallo"))
  await until(async () => (await page(edge, "/app/")).startsWith("hallo"))
})

test("what is wrong is shown in the browser with its file and line, until it is right", async () => {
  const config = pong() + inlineApp
  await using edge = await Edge.start({ config, args, files: { "app/app.ts": app } })
  edge.write("site.toml", config.replace("respond =", "<b>respnd</b> ="))
  await until(async () => (await page(edge, "/ping")).includes("site.toml:"))
  edge.write("site.toml", config.replace("respond =", "respnd ="))
  await until(async () => (await page(edge, "/ping")).includes("respnd"))
  const answer = await fetch(edge.url("/ping"), { keepalive: false })
  expect(answer.status).toBe(500)
  expect(answer.headers.get("content-type")).toContain("text/html")
  edge.write("site.toml", config)
  await until(async () => (await page(edge, "/ping")) === "pong")

  edge.write("app/app.ts", "export default {\n  fetch( {\n}\n")
  await until(async () => /app\.ts:\d/.test(await page(edge, "/ping")))
  edge.write("app/app.ts", app)
  await until(async () => (await page(edge, "/ping")) === "pong")
})

test("a Python app that does not boot shows its traceback", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(1), args, files: { "app/hello.py": python() } })
  edge.write("app/hello.py", "import no_such_module\n")
  await until(async () => (await page(edge, "/app/")).includes("no_such_module"))
  edge.write("app/hello.py", python("mended"))
  await until(async () => (await page(edge, "/app/")).startsWith("mended"))
})

test("a config that never was right is shown as soon as it is", async () => {
  const config = pong() + inlineApp
  await using edge = await Edge.launch({ config: config.replace("respond =", "respnd ="), args, files: { "app/app.ts": app } })
  await edge.heard(/cannot start|serving generation/)
  edge.write("site.toml", config)
  await edge.heard(/serving http:\/\/127\.0\.0\.1:(?!8080)\d+/)
  const [, port] = /serving http:\/\/127\.0\.0\.1:(?!8080)(\d+)/.exec(edge.output)!
  await until(async () => (await fetch(`http://127.0.0.1:${port}/ping`, { keepalive: false }).then(r => r.text(), () => "")) === "pong")
})

test("without a config it waits for one, and says so as no error; requests are told in short lines", async () => {
  await using edge = await Edge.launch({ config: "", args: [...args, "--config", "later.toml"] })
  await edge.heard(/WARN {2}nothing to serve yet, the browser shows why: cannot read later\.toml: there is no such file/)
  expect(edge.output).not.toContain("ERROR")
  edge.write("later.toml", `[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\nrespond = { status = 200, body = "pong" }\n`)
  await edge.heard(/serving http:\/\/127\.0\.0\.1:(?!8080)\d+/)
  const [, at] = /serving http:\/\/127\.0\.0\.1:(?!8080)(\d+)/.exec(edge.output)!
  expect(await (await fetch(`http://127.0.0.1:${at}/x`, { keepalive: false })).text()).toBe("pong")
  await edge.heard(/^\d\d:\d\d:\d\d 200 GET {2}\/x [\d.]+ ms 4 B$/m)
})
