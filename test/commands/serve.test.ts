/** `edge serve`: no config, an address that the test chooses. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync } from "node:fs"
import { executable } from "../build.ts"
import { Folder } from "./kit.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

/** Serves, asks, stops; resolves with the answers. */
async function serve(folder: Folder, what: string, paths: readonly string[]): Promise<string[]> {
  const argv = [await executable(), "serve", what, "--listen", "127.0.0.1:0"]
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
      const response = await fetch(new URL(path, url), { redirect: "manual" })
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
