import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { configFor } from "./serve.ts"

const cwd = mkdtempSync(join(tmpdir(), "edge-serve-"))
afterAll(() => rmSync(cwd, { recursive: true, force: true }))
mkdirSync(join(cwd, "public"))
mkdirSync(join(cwd, "pkg", "sub"), { recursive: true })
for (const [name, text] of Object.entries({
  "app.ts": "",
  "$${x} \"q\".tsx": "",
  "notes.md": "",
  "shop.py": "def application(environ, start_response): ...",
  "live.py": "async  def app(scope, receive, send): ...\ndef old(environ, start_response): ...",
  "fast.py": "from fastapi import FastAPI\napp = FastAPI()",
  "pkg/sub/__init__.py": "async def app(s, r, w): ...",
})) {
  writeFileSync(join(cwd, name), text)
}

const listen = "127.0.0.1:0"

test.each([
  ["public", 'static = { root = ".", browse = true }', "public"],
  ["app.ts", 'entry = "app.ts"', ""],
  ["$${x} \"q\".tsx", 'entry = "$$${x} \\"q\\".tsx"', ""],
  ["shop:application", 'runtime = "wsgi"\nentry = "shop:application"', ""],
  ["live:app", 'runtime = "asgi"\nentry = "live:app"', ""],
  ["live:old", 'runtime = "wsgi"\nentry = "live:old"', ""],
  ["fast:app", 'runtime = "asgi"\nentry = "fast:app"', ""],
  ["pkg.sub:app", 'runtime = "asgi"\nentry = "pkg.sub:app"', ""],
  ["elsewhere:make()", 'runtime = "wsgi"\nentry = "elsewhere:make()"', ""],
])("%s", (what, part, dir) => {
  const made = configFor(what, { listen, cwd })
  expect(made.text).toContain(part)
  expect(made.text).toStartWith('[[site]]\nlisten = ["127.0.0.1:0"]\n')
  expect(made.dir).toBe(join(cwd, dir))
})

test("what cannot be served", () => {
  expect(() => configFor("notes.md", { listen, cwd })).toThrow('"notes.md" is neither a folder nor a .ts, .tsx or .js file')
  expect(() => configFor("nothing", { listen, cwd })).toThrow('there is no "nothing" here')
})
