/** `edge check --apps`: one worker of each app is started, and stopped again. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync } from "node:fs"
import { executable } from "../build.ts"
import { Folder } from "../commands/kit.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

test("every app that cannot start is told at its place, with its own words", async () => {
  using folder = new Folder()
  folder.write({
    "site.toml": `[[site]]
[[site.route]]
app = "typo"

[app.typo]
entry = "typo.tsx"

[app.inside]
entry   = "throws.ts"
gateway = "inline"

[app.missing]
entry = "none.ts"

[app.python]
runtime = "wsgi"
entry   = "no_such_module:application"

[app.program]
runtime = "http"
command = ["sh", "-c", "echo I refuse >&2; exit 7"]

[app.fine]
entry = "fine.ts"
`,
    "typo.tsx": `import { cors } from "hono/cors"\nimport { Hono, Honno } from "hono"\nexport default new Honno().use(cors())\n`,
    "throws.ts": `const limit: number = 1\nif (limit < 2) throw new Error("too little")\nexport default {}\n`,
    "fine.ts": `export default { fetch: () => new Response("fine") }\n`,
  })
  const { code, stdout, stderr } = await folder.edge(["check", "--apps"])
  expect(code).toBe(1)
  expect(stdout).toBe("")
  const told = stderr.split(/^(?=site\.toml:)/m)
  expect(told).toHaveLength(5)
  expect(told[0]).toContain("typo.tsx:2:16: Export named 'Honno' not found in module 'hono'; did you mean \"Hono\"?")
  expect(told[1]).toBe("site.toml:8:6: app.inside: throws.ts:2:26: too little\n")
  expect(told[2]).toMatch(/^site\.toml:13:9: app\.missing\.entry: there is no file \S*none\.ts\n$/)
  expect(told[3]).toMatch(/^site\.toml:17:11: app\.python\.entry: there is no module no_such_module, neither in \S+ nor where python3 looks\n$/)
  expect(told[4]).toMatch(/^site\.toml:19:6: app\.program: [^]*exit code 7[^]*I refuse/)
})

test("nothing is left running", async () => {
  using folder = new Folder()
  folder.write({
    "site.toml": `[[site]]\n[[site.route]]\napp = "a"\n[app.a]\nruntime = "http"\ncommand = ["${process.execPath}", "server.js"]\n`,
    "server.js": `require("fs").writeFileSync("pid", String(process.pid))\nBun.serve({ unix: process.env.SOCKET, fetch: () => new Response("") })\n`,
  })
  expect((await folder.edge(["check", "--apps"])).stdout).toBe("site.toml is good: 1 address, 1 app\n")
  const pid = Number(await Bun.file(`${folder.path}/pid`).text())
  expect(pid).toBeGreaterThan(1)
  expect(() => process.kill(pid, 0)).toThrow()
})

test.skipIf(process.getuid?.() !== 0)("as root, a third party's code is set up as the user of the fronts", async () => {
  using folder = new Folder()
  chmodSync(folder.path, 0o755)
  folder.write({
    "site.toml": `[server]\nuser = "nobody"\n[plugins]\nwho = "who.ts"\n[[site]]\nuse = ["who"]\n[[site.route]]\nrespond = "x"\n`,
    "who.ts": `import { definePlugin } from "edge"\nimport * as v from "valibot"
export default definePlugin({ name: "who", kind: "middleware", config: v.strictObject({}), setup(_, ctx) { throw ctx.fail("root is " + (process.getuid() === 0)) } })`,
    "none.toml": `[server]\nuser = "no-such-user"\n[[site]]\n[[site.route]]\nrespond = "x"\n`,
  })
  expect((await folder.edge(["check"])).stderr).toBe("site.toml:6:8: site[0].use[0]: root is false\n")
  expect((await folder.edge(["check", "-c", "none.toml"])).stderr).toBe('none.toml:2:8: server.user: no user named "no-such-user"\n')
})
