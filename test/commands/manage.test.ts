import { Database } from "bun:sqlite"
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { executable } from "../build.ts"
import { Folder } from "./kit.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

const config = `[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "blog"\n[app.blog]\nentry = "app.tsx"\nenv = { GREETING = "hi" }\n`

const app = (fields: string): string => `import { App } from "edge/app"
import { model, text } from "edge/db"
const Post = model("post", { ${fields} })
const app = new App({ models: [Post] })
app.get("/", c => c.text("x"))
app.command({ name: "greet", help: "greets", run: args => console.log(process.env.GREETING, ...args) })
app.command({ name: "add", help: "adds a post", async run([title]) { await Post.create({ title } as never) } })
export default app
`
const first = app("title: text()")

const withUsers = `import { parseArgs } from "node:util"
import { App } from "edge/app"
import { users } from "edge/auth"
const app = new App({ parts: [users({ hashing: { memoryCost: 64, timeCost: 1 } })] })
app.command({ name: "parsed", help: "x", run: args => void parseArgs({ args, options: {}, strict: true }) })
export default app
`

/** Types each answer once its question is there; gives all that was shown. */
async function inTerminal(folder: Folder, args: string[], steps: readonly (readonly [question: string, answer: string])[]): Promise<string> {
  let shown = ""
  let read = 0
  let heard = () => {}
  const decoder = new TextDecoder()
  const child = Bun.spawn([await executable(), ...args], {
    cwd: folder.path,
    env: { PATH: process.env["PATH"] ?? "", TERM: "dumb" },
    terminal: { cols: 200, rows: 50, data: (_, data) => { shown += decoder.decode(data, { stream: true }); heard() } },
  })
  for (const [question, answer] of steps) {
    while (shown.indexOf(question, read) === -1) {
      if (child.exitCode !== null) throw new Error(`it ended before ${JSON.stringify(question)}:\n${shown}`)
      await Promise.race([new Promise<void>(resolve => (heard = resolve)), child.exited])
    }
    read = shown.indexOf(question, read) + question.length
    if (answer !== "") child.terminal!.write(`${answer}\r`)
  }
  expect(await child.exited).toBe(0)
  return shown
}

async function made(): Promise<Folder> {
  const folder = new Folder()
  folder.write({ "site.toml": config, "app.tsx": first })
  const both = await folder.edge(["manage", "blog", "makemigrations"])
  expect(both).toMatchObject({ code: 0, stderr: "" })
  expect((await folder.edge(["manage", "blog", "migrate"])).stdout).toBe("0001_initial: applied\n")
  return folder
}

describe("edge manage, with nothing but the executable", () => {
  test("lists commands; runs the app's own with their arguments and the app's environment", async () => {
    using folder = new Folder()
    folder.write({ "site.toml": config, "app.tsx": first })
    expect((await folder.edge(["manage", "blog"])).stdout).toMatch(/^Commands of blog:\n {2}migrate /)
    expect(await folder.edge(["manage", "blog", "greet", "--all", "-x", "you"])).toEqual({ code: 0, stdout: "hi --all -x you\n", stderr: "" })
    expect((await folder.edge(["manage", "greet"])).stdout).toBe("hi\n")
    expect((await folder.edge(["manage", "app.tsx", "routes"])).stdout).toBe("GET     /\n")
    expect((await folder.edge(["manage", "blog", "nope"])).stderr).toStartWith('there is no command "nope"\n')
    expect((await folder.edge(["manage", "-c", "none.toml", "blog"])).stderr).toContain("none.toml")
  })

  test("a bare fetch handler has no commands, and is told so", async () => {
    using folder = new Folder()
    folder.write({ "site.toml": config, "app.tsx": `export default { fetch: () => new Response("x") }` })
    expect((await folder.edge(["manage", "blog", "routes"])).stderr).toContain("app blog has no commands")
  })

  test("check in CI: behind, changed, up to date", async () => {
    using folder = await made()
    expect(await folder.edge(["manage", "blog", "migrate", "--check"])).toMatchObject({ code: 0, stdout: "up to date\n" })
    folder.write({ "app.tsx": app("title: text(), body: text({ optional: true })") })
    expect(await folder.edge(["manage", "blog", "migrate", "--check"])).toMatchObject({ code: 1, stdout: expect.stringContaining("the models have changed since 0001_initial") })
    await folder.edge(["manage", "blog", "makemigrations", "--name", "Body"])
    expect(await folder.edge(["manage", "blog", "migrate", "--check"])).toMatchObject({ code: 1, stdout: "to be applied: 0002_body\n" })
    expect((await folder.edge(["manage", "blog", "migrate"])).stdout).toBe("0002_body: applied\n")
    expect((await folder.edge(["manage", "blog", "rollback"])).stdout).toBe("0002_body: taken back\n")
    expect((await folder.edge(["manage", "blog", "migrate"])).code).toBe(0)
  })

  test("without a terminal a rename is a question that names its flags; the rows stay", async () => {
    using folder = await made()
    await folder.edge(["manage", "blog", "add", "Hello"])
    folder.write({ "app.tsx": app("headline: text()") })
    const asked = await folder.edge(["manage", "blog", "makemigrations"])
    expect(asked.code).toBe(1)
    expect(asked.stderr).toContain("--rename OLD=post.headline or --new post.headline")
    expect(readdirSync(join(folder.path, "migrations"))).toEqual(["0001_initial"])
    expect((await folder.edge(["manage", "blog", "makemigrations", "--rename", "title=post.headline"])).code).toBe(0)
    expect((await folder.edge(["manage", "blog", "migrate"])).code).toBe(0)
    using db = new Database(join(folder.path, "data.db"), { readonly: true })
    expect(db.query("SELECT headline FROM post").all()).toEqual([{ headline: "Hello" }])
  })

  test("in a terminal it asks", async () => {
    using folder = await made()
    await folder.edge(["manage", "blog", "add", "Hello"])
    folder.write({ "app.tsx": app("headline: text()") })
    let shown = ""
    let answered = false
    const child = Bun.spawn([await executable(), "manage", "blog", "makemigrations"], {
      cwd: folder.path,
      terminal: {
        data(terminal, chunk) {
          shown += new TextDecoder().decode(chunk)
          if (answered || !shown.includes("1-2: ")) return
          answered = true
          terminal.write("2\n")
        },
      },
    })
    expect(await child.exited).toBe(0)
    expect(shown).toContain("column post.headline is new. Is it\r\n  1) new\r\n  2) renamed from title\r\n")
    expect(readFileSync(join(folder.path, "migrations", "0002_alter_post", "up.sql"), "utf8")).toBe("ALTER TABLE `post` RENAME COLUMN `title` TO `headline`;\n")
  })

  test("a field that is needed: rows that exist get what --fill says", async () => {
    using folder = await made()
    await folder.edge(["manage", "blog", "add", "Hello"])
    folder.write({ "app.tsx": app("title: text(), lang: text()") })
    expect((await folder.edge(["manage", "blog", "makemigrations"])).stderr).toContain("--fill post.lang=VALUE")
    expect((await folder.edge(["manage", "blog", "makemigrations", "--fill", "post.lang=it's en"])).code).toBe(0)
    expect((await folder.edge(["manage", "blog", "migrate"])).code).toBe(0)
    using db = new Database(join(folder.path, "data.db"), { readonly: true })
    expect(db.query("SELECT title, lang FROM post").all()).toEqual([{ title: "Hello", lang: "it's en" }])
  })

  test("backup while it is in use; the copy and the database are for nobody else", async () => {
    using folder = await made()
    await folder.edge(["manage", "blog", "add", "Hello"])
    expect((await folder.edge(["manage", "blog", "backup", "copy.db"])).code).toBe(0)
    const copy = join(folder.path, "copy.db")
    expect(statSync(copy).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder.path, "data.db")).mode & 0o777).toBe(0o600)
    using db = new Database(copy, { readonly: true })
    expect(db.query("SELECT title FROM post").all()).toEqual([{ title: "Hello" }])
    expect((await folder.edge(["manage", "blog", "backup", "copy.db"])).stderr).toContain("exists already")
  })

  test("check --deploy", async () => {
    using folder = await made()
    const found = await folder.edge(["manage", "blog", "check", "--deploy"])
    expect(found.code).toBe(1)
    expect(found.stdout).toContain("error: the site's URL is not known")
    folder.write({ "site.toml": config.replace(`GREETING = "hi"`, `SITE_URL = "https://example.com", SECRET_KEY = "0123456789abcdef0123456789abcdef"`) })
    expect(await folder.edge(["manage", "blog", "check", "--deploy", "--strict"])).toEqual({ code: 0, stdout: "nothing found\n", stderr: "" })
  })

  test("a command whose tables are not there says what to do; one whose options are wrong says it without a stack", async () => {
    using folder = new Folder()
    folder.write({ "site.toml": config, "app.tsx": withUsers })
    const root = ["manage", "blog", "createsuperuser", "--email", "root@example.com", "--name", "Root"]
    const env = { EDGE_PASSWORD: "mauve otter lantern" }
    expect(await folder.edge(root, { env })).toEqual({ code: 1, stdout: "", stderr: "there are no tables yet (no such table: users): edge manage blog makemigrations, then edge manage blog migrate\n" })
    await folder.edge(["manage", "blog", "makemigrations"])
    const behind = "the database is behind: 0001_initial is to be applied: edge manage blog migrate"
    expect(await folder.edge(root, { env })).toEqual({ code: 1, stdout: "", stderr: `${behind} (no such table: users)\n` })
    expect((await folder.edge(["manage", "blog", "shell", "-c", "User.all.count()"])).stderr).toBe(`${behind} (no such table: users)\n`)
    await folder.edge(["manage", "blog", "migrate"])
    for (const password of [["--password", "x"], ["--password=x"], ["-p", "x"], ["--pass", "x"]]) {
      expect(await folder.edge([...root, ...password], { env })).toEqual({ code: 1, stdout: "", stderr: "a password is no argument, which everybody on the machine could read (ps): it is asked for, or taken from EDGE_PASSWORD\n" })
    }
    for (const command of ["createsuperuser", "changepassword", "unlock"]) {
      const { code, stderr } = await folder.edge(["manage", "blog", command, "--emial", "x"], { env })
      expect([command, code, stderr.split("\n").length, stderr]).toEqual([command, 1, 2, expect.stringContaining("Unknown option '--emial'; options: ")])
    }
    expect(await folder.edge(["manage", "blog", "parsed", "--nope"])).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(/^Unknown option '--nope'[^\n]*\n$/) })
    expect((await folder.edge(root, { env })).stdout).toBe("root@example.com is a superuser of blog\n")
  })

  test("in a terminal what was typed wrongly is asked again", async () => {
    using folder = new Folder()
    folder.write({ "site.toml": config, "app.tsx": withUsers })
    await folder.edge(["manage", "blog", "makemigrations"])
    await folder.edge(["manage", "blog", "migrate"])
    const good = "mauve otter lantern"
    const said = await inTerminal(folder, ["manage", "blog", "createsuperuser"], [
      ["E-mail: ", "nobody"],
      ["This is no e-mail address.", ""],
      ["E-mail: ", "root@example.com"],
      ["Name: ", "Root"],
      ["Password: ", good],
      ["Again: ", "another otter lantern"],
      ["They differ; once more.", ""],
      ["Password: ", "short"],
      ["Again: ", "short"],
      ["password: ", ""],
      ["Password: ", good],
      ["Again: ", good],
      ["root@example.com is a superuser of blog", ""],
    ])
    expect(said).not.toContain(good)
  })

  test("shell -c takes statements, and gives the value of the last", async () => {
    using folder = await made()
    const run = async (code: string) => (await folder.edge(["manage", "blog", "shell", "-c", code])).stdout.trimEnd()
    expect(await run('const post = await Post.create({ title: "x" }); post.title')).toBe('"x"')
    expect(await run("const x = 1; const y = x + 1; y * 2")).toBe("4")
    expect(await run("const n = await Post.all.count()")).toBe("1")
    expect(await run('let s = "a;b"; s = s + ";c"; s.length')).toBe("5")
    expect(await run("let sum = 0\nfor (const i of [1, 2, 3]) { sum += i }\nsum")).toBe("6")
    expect(await run("const [row] = await Post.all; row.title")).toBe('"x"')
    expect(await run("return 7")).toBe("7")
    expect(await run("({ a: 1 }).a;")).toBe("1")
    expect((await folder.edge(["manage", "blog", "shell", "-c", "const = 1"])).code).toBe(1)
  })

  test("shell: one line, or lines that remember", async () => {
    using folder = await made()
    expect((await folder.edge(["manage", "blog", "shell", "-c", 'Post.create({ title: "x" })'])).stdout).toContain('title: "x"')
    expect(readFileSync(join(folder.path, "data.db")).length).toBeGreaterThan(0)
    expect((await folder.edge(["manage", "blog", "shell", "-c", "await Post.all.count() + 1"])).stdout).toBe("2\n")
  })

  test("a database that is behind keeps new code from starting; the old goes on", async () => {
    using folder = await made()
    folder.write({ "app.tsx": app("title: text(), body: text({ optional: true })") })
    await folder.edge(["manage", "blog", "makemigrations"])
    const check = await folder.edge(["check", "--apps"])
    expect(check.code).toBe(1)
    expect(check.stderr).toContain("the database is behind: 0002_alter_post is to be applied: edge manage blog migrate")
  })
})
