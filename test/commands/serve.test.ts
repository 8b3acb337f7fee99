/** `edge serve`: no config, an address that the test chooses. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync } from "node:fs"
import { executable } from "../build.ts"
import { Folder } from "./kit.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

/** Serves, asks, stops; resolves with the answers. */
async function serve(folder: Folder, what: string, paths: readonly string[], more: readonly string[] = []): Promise<string[]> {
  const argv = [await executable(), "serve", what, "--listen", "127.0.0.1:0", ...more]
  const child = Bun.spawn(argv, { cwd: folder.path, env: { PATH: "/usr/bin:/bin" }, stdout: "pipe", stderr: "pipe" })
  try {
    let said = ""
    const decoder = new TextDecoder()
    const reader = child.stdout.getReader()
    for (;;) {
      const { value, done } = await reader.read()
      said += decoder.decode(value, { stream: true })
      if (done) throw new Error(`it ended: ${await new Response(child.stderr).text()}`)
      if (/^serving \S+\n/m.test(said)) break
    }
    reader.releaseLock()
    void child.stdout.pipeTo(new WritableStream())
    const url = /^serving (\S+)\n/m.exec(said)![1]!
    const answers: string[] = []
    for (const path of paths) {
      const response = await fetch(new URL(path, url), { redirect: "manual", headers: { Accept: "text/html" } })
      answers.push(`${response.status} ${(await response.text()).trim()}`)
    }
    return answers
  } finally {
    child.kill("SIGTERM")
    await child.exited
  }
}

test("a folder, with a listing and no hidden files", async () => {
  using folder = new Folder()
  folder.write({ "site/a.txt": "A", "site/sub/index.html": "<p>sub</p>", "site/.secret": "s" })
  const answers = await serve(folder, "site", ["/a.txt", "/sub/", "/.secret", "/"])
  expect(answers.slice(0, 2)).toEqual(["200 A", "200 <p>sub</p>"])
  expect(answers[2]).toStartWith("404")
  expect(answers[3]).toContain("a.txt")
  expect(answers[3]).not.toContain(".secret")
})

test("a TypeScript app, from another folder", async () => {
  using folder = new Folder()
  folder.write({ "my app/main.tsx": `import { Hono } from "hono"\nexport default new Hono().get("/", c => c.html(<i>{"\${x}"}</i>))` })
  expect(await serve(folder, "my app/main.tsx", ["/", "/none"])).toEqual(["200 <i>${x}</i>", "404 404 Not Found"])
})

test.skipIf(!existsSync("/usr/bin/python3"))("a Python application", async () => {
  using folder = new Folder()
  folder.write({ "shop.py": `def application(environ, start_response):\n    start_response("200 OK", [])\n    return [environ["PATH_INFO"].encode()]\n` })
  expect(await serve(folder, "shop:application", ["/x"])).toEqual(["200 /x"])
})

test("nothing is left in the folder", async () => {
  using folder = new Folder()
  folder.write({ "a.txt": "A" })
  await serve(folder, ".", ["/a.txt"])
  expect([...new Bun.Glob("**/*").scanSync({ cwd: folder.path, dot: true, onlyFiles: false })]).toEqual(["a.txt"])
})

test("a port alone is one of this machine only; short lines with colours on a terminal, JSON in a pipe", async () => {
  using folder = new Folder()
  folder.write({ "site/a.txt": "A" })
  const edge = await executable()
  const port = freePort()
  // script(1) gives it a terminal.
  const argvs = [["script", "-qfec", `${edge} serve site -l ${port}`, "/dev/null"], [edge, "serve", "site", "-l", String(port)]]
  const said: string[] = []
  for (const argv of argvs) {
    const child = Bun.spawn(argv, { cwd: folder.path, env: { PATH: "/usr/bin:/bin", TERM: "xterm" }, stdin: "pipe", stdout: "pipe", stderr: "ignore" })
    let text = ""
    const reading = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({ write: part => void (text += part) }))
    while (!/^serving \S+\r?\n/m.test(text)) await Bun.sleep(10)
    expect(text).toContain(`serving http://127.0.0.1:${port}/`)
    expect(await (await fetch(`http://127.0.0.1:${port}/a.txt?q=%1b`)).text()).toBe("A")
    while (!text.includes("/a.txt")) await Bun.sleep(10)
    if (argv === argvs[1]) child.kill("SIGTERM")
    // The terminal's ^C.
    else child.stdin.write("\u0003")
    await child.exited
    await reading
    said.push(text.split("\n").find(line => line.includes("/a.txt"))!.trim())
  }
  expect(said[0]).toMatch(/^\u001b\[2m\d\d:\d\d:\d\d\u001b\[0m \u001b\[32m200\u001b\[0m GET {2}\/a\.txt\?q=%1b \u001b\[2m[\d.]+ ms 1 B\u001b\[0m$/)
  expect(JSON.parse(said[1]!)).toMatchObject({ target: "/a.txt?q=%1b", status: 200 })
})

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}

test("a factory with literals as arguments; with --dev what it raises is a page", async () => {
  using folder = new Folder()
  const app = `
def create_app(name, *, n):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/fails":
            raise ValueError("<b>" + name)
        start_response("200 OK", [])
        return [repr((name, n)).encode()]
    return app
async def serve(scope, receive, send):
    if scope["type"] == "http":
        raise KeyError("of ASGI")
`
  folder.write({ "hello.py": app })
  const entry = "hello:create_app('it is', n=[2])"
  expect(await serve(folder, entry, ["/"])).toEqual(["200 ('it is', [2])"])
  const [wsgi] = await serve(folder, entry, ["/fails"], ["--dev"])
  expect(wsgi).toStartWith("500 <!doctype html>")
  expect(wsgi).toContain("<h1>ValueError: &lt;b&gt;it is</h1>")
  expect(wsgi).toContain("hello.py&quot;, line 5, in app")
  const [asgi] = await serve(folder, "hello:serve", ["/"], ["--dev"])
  expect(asgi).toContain("<h1>KeyError: &#x27;of ASGI&#x27;</h1>")
})
