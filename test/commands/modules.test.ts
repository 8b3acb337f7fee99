/** What apps and plugins may import beside the executable, and what of the working folder is not obeyed. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { executable } from "../build.ts"
import { Folder } from "./kit.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

const site = `[[site]]\nlisten = ["127.0.0.1:\${PORT:-8080}"]\n[[site.route]]\napp = "a"\n[app.a]\nentry = "app.tsx"\n`

/** A test that starts the site and prints what `/` answers. */
const ask = `import { start, test } from "edge/plugin-test"
test("ask", async () => {
  await using site = await start("site.toml")
  const response = await site.fetch("/")
  console.log("answer: " + response.status + " " + await response.text())
})`

async function answer(files: Record<string, string>, env: Record<string, string> = {}): Promise<string> {
  using folder = new Folder()
  const { stdout } = await folder.write({ "site.toml": site, "ask.test.ts": ask, ...files }).edge(["test"], { env })
  return /^answer: (.*)$/m.exec(stdout)?.[1] ?? stdout
}

describe("an app with no node_modules", () => {
  test("hono, its JSX and its middleware, valibot and edge", async () => {
    const app = `import { Hono } from "hono"
import { basicAuth } from "hono/basic-auth"
import { bearerAuth } from "hono/bearer-auth"
import { setCookie } from "hono/cookie"
import { cors } from "hono/cors"
import { csrf } from "hono/csrf"
import { css } from "hono/css"
import { etag } from "hono/etag"
import { createFactory } from "hono/factory"
import { html, raw } from "hono/html"
import { HTTPException } from "hono/http-exception"
import { useState } from "hono/jsx"
import { jsxRenderer } from "hono/jsx-renderer"
import { Suspense } from "hono/jsx/streaming"
import { sign } from "hono/jwt"
import { logger } from "hono/logger"
import { secureHeaders } from "hono/secure-headers"
import { streamSSE } from "hono/streaming"
import { validator } from "hono/validator"
import * as v from "valibot"
import { definePlugin, HeaderList } from "edge"
const all = [basicAuth, bearerAuth, setCookie, cors, csrf, css, etag, createFactory, html, raw, HTTPException, useState, jsxRenderer, Suspense, sign, logger, secureHeaders, streamSSE, validator, definePlugin]
const app = new Hono()
app.use(secureHeaders())
app.get("/", c => c.html(<p class="x">{all.filter(one => typeof one === "function").length} of {all.length}, {v.parse(v.string(), "<&>")}, {new HeaderList(["A", "b"]).get("a")}</p>))
export default app`
    expect(await answer({ "app.tsx": app })).toBe('200 <p class="x">20 of 20, &lt;&amp;&gt;, b</p>')
  })

  test("files beside it, TypeScript and JSON and text", async () => {
    const files = {
      "app.tsx": `import { word } from "./lib/word.ts"\nimport data from "./data.json"\nimport text from "./note.txt" with { type: "text" }\nexport default { fetch: () => new Response(word + data.n + text) }`,
      "lib/word.ts": `export const word: string = "w"`,
      "data.json": `{ "n": 5 }`,
      "note.txt": "note",
    }
    expect(await answer(files)).toBe("200 w5note")
  })

  test("a missing export is told with its line", async () => {
    using folder = new Folder()
    folder.write({ "site.toml": site, "app.tsx": `import { Hono } from "hono"\nimport {\n  corz,\n} from "hono/cors"\nexport default new Hono().use(corz())` })
    const { code, stderr } = await folder.edge(["check", "--apps"])
    expect(stderr).toContain("app.tsx:3:3: Export named 'corz' not found in module 'hono/cors'.")
    expect(stderr).toStartWith("site.toml:5:6: app.a: ")
    expect(code).toBe(1)
  })
})

describe("a node_modules beside the app", () => {
  test("brings what edge does not have", async () => {
    const files = {
      "app.tsx": `import { left } from "pad"\nimport { deep } from "pad/deep"\nexport default { fetch: () => new Response(left + deep) }`,
      "node_modules/pad/package.json": `{ "name": "pad", "exports": { ".": "./main.js", "./deep": { "import": "./src/deep.js" } } }`,
      "node_modules/pad/main.js": `export const left = "L"`,
      "node_modules/pad/src/deep.js": `export const deep = "D"`,
    }
    expect(await answer(files)).toBe("200 LD")
  })

  test("a plugin that is an npm package is found from the config's folder", async () => {
    using folder = new Folder()
    folder.write({
      "conf/site.toml": `[plugins]\nstamp = "edge-stamp"\n[[site]]\nuse = ["stamp"]\n[[site.route]]\nrespond = "ok"\n`,
      "conf/node_modules/edge-stamp/package.json": `{ "name": "edge-stamp", "type": "module", "exports": "./stamp.js" }`,
      "conf/node_modules/edge-stamp/stamp.js": `import { definePlugin } from "edge"\nimport { word } from "word"\nimport * as v from "valibot"
export default definePlugin({ name: word, kind: "middleware", config: v.strictObject({}), setup: () => ({ part: next => next }) })`,
      "conf/node_modules/word/package.json": `{ "name": "word", "main": "lib" }`,
      "conf/node_modules/word/lib/index.js": `export const word = "stamp"`,
    })
    expect((await folder.edge(["check", "-c", "conf/site.toml"])).stdout).toBe("conf/site.toml is good: 1 address, 0 apps\n")
  })
})

test("bunfig.toml, .env and tsconfig.json of the working folder are not obeyed", async () => {
  const files = {
    "app.tsx": `import { Hono } from "hono"\nexport default new Hono().get("/", c => c.html(<b>{process.env.FROM_DOTENV ?? "none"}{globalThis.preloaded ?? "none"}</b>))`,
    "bunfig.toml": `preload = ["./preload.ts"]\njsxImportSource = "nothing"\n`,
    "preload.ts": `globalThis.preloaded = "preloaded"`,
    ".env": "FROM_DOTENV=dotenv\n",
    "tsconfig.json": `{ "compilerOptions": { "jsxImportSource": "nothing", "paths": { "hono": ["./nothing.d.ts"] } } }`,
  }
  expect(await answer(files)).toBe("200 <b>nonenone</b>")
})
