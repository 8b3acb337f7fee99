/** Forms as people meet them: in a browser, light and dark, on a phone, without scripts; axe-core finds nothing. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { describeWith, found } from "../../../../test/kit/needs.ts"
import { App } from "../app/app.ts"
import { Database } from "../db/database.ts"
import { boolean, choice, date, datetime, decimal, email, file, image, integer, many, markdown, references, text, url } from "../db/fields.ts"
import { createTables } from "../db/migrate/create.ts"
import { model } from "../db/model.ts"
import { png } from "../testdata/png.ts"
import { form } from "./form.ts"
import { formset } from "./formset.ts"
import { FormStyles } from "./styles.tsx"
import { FormView } from "./view.tsx"

const Author = model("author", { name: text({ search: true }) })
const Tag = model("tag", { name: text() })
const Book = model("book", {
  title: text({ max: 120, help: "As it stands on the cover." }),
  author: references(Author),
  editor: references(Author, { optional: true }),
  kind: choice({ novel: "Novel", essay: "Essay", poems: "Poems" }, { default: "novel" }),
  tags: many(Tag),
  pages: integer({ optional: true, min: 1 }),
  price: decimal({ default: "9.90" }),
  published: date({ optional: true }),
  arrives: datetime({ optional: true }),
  contact: email({ optional: true }),
  site: url({ optional: true }),
  forSale: boolean({ default: true }),
  reviewed: boolean({ optional: true }),
  cover: image({ optional: true }),
  sample: file({ optional: true }),
  blurb: markdown({ default: "" }),
})
const BookForm = form(Book, { fields: { kind: { widget: "radio" } } })
const Tags = formset(form(Tag), { prefix: "tag", label: "More tags", canOrder: true })

const dir = mkdtempSync(join(tmpdir(), "edge-look-"))
const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }
const app = new App({
  models: [Author, Tag, Book],
  layout: ({ children, title }) => (
    <html lang="en">
      <head>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title ?? "Book"}</title>
        <style>{"body{margin:0;padding:1.5rem;font:16px system-ui,sans-serif;background:Canvas;color:CanvasText;color-scheme:light dark}"}</style>
        <FormStyles />
      </head>
      <body>
        <main>
          <h1>Book</h1>
          {children}
        </main>
      </body>
    </html>
  ),
})
app.all("/new", async c => {
  const bound = await BookForm.handle(c)
  const tags = await Tags.handle(c)
  const row = tags.ok || c.req.method === "GET" ? await bound.save() : null
  if (row !== null) return c.redirect(`/${row.id}`, 303)
  c.status(bound.status)
  return c.render(<FormView form={bound} formsets={[tags]} />)
})
app.all("/:id{[0-9]+}", async c => {
  const row = await Book.get(Number(c.req.param("id")))
  return c.render(<FormView form={await BookForm.handle(c, { row })} />)
})

const LOOKS: [name: string, BrowserContextOptions][] = [
  ["light", { colorScheme: "light", viewport: { width: 1100, height: 900 } }],
  ["dark", { colorScheme: "dark", viewport: { width: 1100, height: 900 } }],
  ["phone", { colorScheme: "light", viewport: { width: 340, height: 700 }, isMobile: true }],
]

describeWith(["chromium"], "in a browser", () => {
  let browser: Browser
  let server: Bun.Server<undefined>
  beforeAll(async () => {
    const database = new Database("sqlite::memory:")
    await createTables(database, app.models)
    await app.boot({ dir, name: "books", env: { SECRET_KEY: "only-for-tests-0123456789" }, dev: false, log, database })
    await app.run(async () => {
      await Author.createMany(Array.from({ length: 230 }, (_, i) => ({ name: `Author ${String(i).padStart(3, "0")}` })))
      await Tag.createMany(["sea", "love", "war", "food"].map(name => ({ name })))
    })
    server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: request => app.fetch(request) })
    browser = await chromium.launch({ executablePath: found("chromium")!, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] })
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop(true)
    await app.shutdown()
    rmSync(dir, { recursive: true })
  }, 60_000)

  const open = async (path: string, options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    await page.goto(new URL(path, server.url).href)
    return page
  }
  /** What axe-core finds: rule, and where. */
  const violations = async (page: Page): Promise<string[]> => {
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core/axe.min.js") }).catch(() => page.evaluate(axeSource))
    return page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
      return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).join(" | ")}`)
    })
  }
  let axeSource = ""
  beforeAll(async () => {
    axeSource = await Bun.file(createRequire(import.meta.url).resolve("axe-core/axe.min.js")).text()
  })
  const shot = async (page: Page, name: string) => {
    const folder = process.env.LOOK_SHOTS
    if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
  }
  const wide = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth)

  test.each(LOOKS)("%s: empty, and with errors", async (name, options) => {
    const page = await open("/new", options)
    await shot(page, `${name}-empty`)
    expect(await violations(page)).toEqual([])
    expect(await wide(page)).toBeLessThanOrEqual(0)
    await page.fill("[name=title]", "A & <b>B</b>")
    await page.fill("[name=pages]", "0")
    await page.fill("[name=contact]", "nobody")
    await page.setInputFiles("[name=cover]", { name: "x.png", mimeType: "image/png", buffer: Buffer.from("<script>alert(1)</script>") })
    await page.evaluate(() => document.querySelector("form")!.setAttribute("novalidate", ""))
    await page.click(".form-actions button")
    await shot(page, `${name}-errors`)
    expect(await violations(page)).toEqual([])
    expect(await wide(page)).toBeLessThanOrEqual(0)
    expect(await page.inputValue("[name=title]")).toBe("A & <b>B</b>")
    expect(await page.locator("[aria-invalid=true]").evaluateAll(all => all.map(input => input.getAttribute("name")))).toEqual(["author", "pages", "contact", "cover"])
    expect(await page.locator(".form-errors a").allTextContents()).toEqual(["Author", "Pages", "Contact", "Cover"])
    // The summary leads to the field.
    await page.click('.form-errors a[href="#f-pages"]')
    expect(await page.evaluate(() => document.activeElement?.getAttribute("name") ?? location.hash)).toMatch(/^(?:pages|#f-pages)$/)
    await page.context().close()
  }, 60_000)

  test("without scripts: rows are found and added, everything is saved, the picture is shown", async () => {
    const page = await open("/new", { javaScriptEnabled: false })
    await page.fill("[name=title]", "The Sea")
    await page.fill("[name=author__find]", "229")
    await page.click("[name=_find][value=author]")
    expect(await page.locator("[name=author] option").allTextContents()).toEqual(["", "Author 229"])
    expect(await page.inputValue("[name=title]")).toBe("The Sea")
    expect(await page.locator(".form-errors").count()).toBe(0)
    await page.selectOption("[name=author]", { label: "Author 229" })
    await page.check("text=sea")
    await page.fill("[name=blurb]", "*Good*\n\nreally")
    expect(await page.locator(".formset-row").count()).toBe(1)
    await page.click("[name=_add]")
    expect(await page.locator(".formset-row").count()).toBe(2)
    expect(await page.inputValue("[name=blurb]")).toBe("*Good*\n\nreally")
    await page.setInputFiles("[name=cover]", { name: "sea.png", mimeType: "image/png", buffer: png(600, 400) })
    await page.click(".form-actions button")
    expect(new URL(page.url()).pathname).toBe("/1")
    expect(await page.inputValue("[name=title]")).toBe("The Sea")
    expect(await page.isChecked("text=sea")).toBe(true)
    const width = await page.locator(".field-current img").evaluate(img => (img as HTMLImageElement).naturalWidth)
    expect(width).toBe(320)
    await shot(page, "edit")
    await page.context().close()
  }, 60_000)

  test("by keyboard alone", async () => {
    const page = await open("/new")
    const names: string[] = []
    for (let i = 0; i < 60 && names.at(-1) !== "save"; i++) {
      await page.keyboard.press("Tab")
      names.push(await page.evaluate(() => document.activeElement!.getAttribute("name") ?? document.activeElement!.textContent!.toLowerCase()))
    }
    for (const { key } of BookForm.source.fields) expect(names).toContain(key)
    expect(names.at(-1)).toBe("save")
    await page.context().close()
  }, 60_000)
})
