import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Handler, HttpError, Reply } from "edge"
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { until } from "../../../test/kit/edge.ts"
import { exchange, seen } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"
import { Verifier } from "./verifier.ts"

// The cheapest there are: the tests are about who is let in.
const cheap = { algorithm: "bcrypt", cost: 4 } as const
const hashes: Record<string, string> = {}
let dir = ""
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "edge-auth-"))
  hashes.ann = await Bun.password.hash("secret", cheap)
  hashes.bob = await Bun.password.hash("pass:word ü", { algorithm: "argon2id", memoryCost: 64, timeCost: 1 })
})
afterAll(() => rmSync(dir, { recursive: true }))

const who: Handler = x => Reply.text(200, `${String(x.vars?.get("user"))} ${x.headers.getAll("x-user").join("|")}`)

async function around(options: unknown, ctx = new TestContext({ dir })): Promise<Handler> {
  return ((await setUp(plugin, options, ctx)) as (next: Handler) => Handler)(who)
}

const basic = (text: string, scheme = "Basic"): Record<string, string> => ({ Authorization: `${scheme} ${Buffer.from(text).toString("base64")}` })

async function ask(handler: Handler, headers: Record<string, string> | [string, string][] = {}): Promise<string> {
  try {
    const got = (await seen(handler, exchange("/", { headers })))!
    return `${got.status} ${got.text}`
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    return `${error.status} ${(error.options.headers ?? []).map(pair => pair.join(": ")).join()}`
  }
}

test("the right ones are let in, the others asked", async () => {
  const handler = await around({ users: hashes, realm: 'the "office"' })
  const asked = '401 WWW-Authenticate: Basic realm="the \\"office\\"", charset="UTF-8"'
  expect(await ask(handler)).toBe(asked)
  expect(await ask(handler, basic("ann:secret"))).toBe("200 ann ")
  expect(await ask(handler, basic("ann:secret", "bASIC"))).toBe("200 ann ")
  expect(await ask(handler, basic("bob:pass:word ü"))).toBe("200 bob ")
  for (const wrong of ["ann:Secret", "ann:", "ann", ":secret", "Ann:secret", "bob:secret", "eve:secret", "eve:pass:word ü", ""]) {
    for (let i = 0; i < 2; i++) expect(await ask(handler, basic(wrong))).toBe(asked)
  }
  expect(await ask(handler, { Authorization: "Bearer YW5uOnNlY3JldA==" })).toBe(asked)
  expect(await ask(handler, { Authorization: "Basic ann:secret" })).toBe(asked)
  expect(await ask(handler, [...Object.entries(basic("ann:secret")), ...Object.entries(basic("bob:x"))])).toBe(asked)
})

test("what was checked once is known, without a promise", async () => {
  const handler = await around({ users: hashes })
  const x = () => exchange("/", { headers: basic("ann:secret") })
  const first = handler(x())
  expect(first).toBeInstanceOf(Promise)
  await first
  expect(handler(x())).toBeInstanceOf(Reply)
  await ask(handler, basic("ann:wrong"))
  expect(() => handler(exchange("/", { headers: basic("ann:wrong") }))).toThrow("wrong name or password")
})

test("the user's name as a header, which no client can forge", async () => {
  const handler = await around({ users: hashes, header: "X-User" })
  expect(await ask(handler, { ...basic("ann:secret"), "X-User": "root", "x-user": "admin" })).toBe("200 ann ann")
})

test("who is no user costs the same check", async () => {
  const handler = await around({ users: { ann: hashes.ann! } })
  const answer = handler(exchange("/", { headers: basic("eve:x") }))
  expect(answer).toBeInstanceOf(Promise)
  await expect(answer as Promise<unknown>).rejects.toThrow("wrong name or password")
})

test("an htpasswd file, read again when it changes; a broken one changes nothing", async () => {
  const file = join(dir, "users")
  const write = (text: string, at: number) => {
    writeFileSync(file, text)
    utimesSync(file, at, at)
  }
  write(`# people\nann:${hashes.ann!.replace("$2b$", "$2y$")}\r\n\n`, 1000)
  const ctx = new TestContext({ dir })
  const handler = await around({ file: "users", users: { bob: hashes.bob } }, ctx)
  expect([await ask(handler, basic("ann:secret")), await ask(handler, basic("bob:pass:word ü"))]).toEqual(["200 ann ", "200 bob "])
  write("ann:plain\n", 2000)
  await until(async () => (await ask(handler, basic("ann:secret"))) === "200 ann " && ctx.lines.some(line => line.level === "error"))
  expect(String(ctx.lines.find(line => line.level === "error")!.fields["error"])).toContain("users:1:")
  expect(JSON.stringify(ctx.lines)).not.toContain("plain")
  write(`carl:${hashes.ann}\n`, 3000)
  await until(async () => (await ask(handler, basic("carl:secret"))) === "200 carl ")
  expect(await ask(handler, basic("ann:secret"))).toStartWith("401")
})

test("a flood of wrong passwords is turned away, in bounded memory", async () => {
  const verifier = new Verifier()
  const answers: Promise<boolean>[] = []
  let refused = 0
  for (let i = 0; i < 500; i++) {
    try {
      answers.push(verifier.ask({ digest: String(i), password: String(i), hash: hashes.ann! }))
    } catch (error) {
      expect((error as HttpError).status).toBe(503)
      refused++
    }
  }
  expect(answers.length).toBeLessThan(100)
  expect(refused).toBe(500 - answers.length)
  expect((await Promise.all(answers)).includes(true)).toBe(false)
  // The same question is asked once.
  expect(verifier.ask({ digest: "n", password: "n", hash: hashes.ann! })).toBe(verifier.ask({ digest: "n", password: "n", hash: hashes.ann! }))
  expect(await verifier.ask({ digest: "last", password: "secret", hash: hashes.ann! })).toBe(true)
  expect(verifier.known("last")).toBe(true)
})

test.each([
  [{}, "nobody could sign in"],
  [{ users: { ann: "secret" } }, "never a password"],
  [{ users: { ann: "$apr1$x$y" } }, "guessed too fast"],
  [{ users: { "a:b": "x" } }, "without a colon"],
  [{ file: "none" }, "ENOENT"],
])("%p is refused", async (options, why) => {
  const error = await around(options).catch((e: unknown) => e as Error)
  expect((error as Error).message).toContain(why)
  expect((error as Error).message).not.toContain("secret")
})
