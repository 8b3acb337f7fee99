/** The admin in a browser: axe, keyboard, dark, phone, without scripts. Served by the executable. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import type { Edge } from "../../../../test/kit/edge.ts"
import { describeWith, found } from "../../../../test/kit/needs.ts"
import { PASSWORD, serveNewsroom } from "./testdata/served.ts"

setDefaultTimeout(120_000)

const WIDE = { width: 1360, height: 860 }
const PHONE = { width: 390, height: 844 }
const PAGES = ["", "/post", "/post?q=Post&f.state=draft&sort=-title,state&date=2026-05", "/post?q=nothing", "/post/add", "/post/1", "/post/1/history", "/post/1/delete", "/section/1/delete", "/user", "/user/2", "/group/add", "/post/choices/author", "/-/report", "/nix"]

describeWith(["chromium"], "the admin in a browser", () => {
  let edge: Edge
  let browser: Browser
  let cookies: Awaited<ReturnType<BrowserContext["cookies"]>>

  beforeAll(async () => {
    edge = await serveNewsroom()
    browser = await chromium.launch({ executablePath: found("chromium")!, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] })
    const page = await browser.newPage()
    await page.goto(edge.url("/admin"))
    await page.fill("[name=email]", "boss@x.org")
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button[type=submit], form button[type=submit]")
    await page.waitForURL("**/admin")
    cookies = await page.context().cookies()
    await page.close()
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await edge?.[Symbol.asyncDispose]()
  })

  /** A page of the boss; `faults` are what went wrong in it: errors of scripts, refusals of the policy, other hosts. */
  async function open(options: BrowserContextOptions = {}): Promise<{ page: Page; faults: string[] } & AsyncDisposable> {
    const context = await browser.newContext({ viewport: WIDE, ...options })
    await context.addCookies(cookies)
    const page = await context.newPage()
    const faults: string[] = []
    page.on("pageerror", error => faults.push(error.message))
    page.on("console", message => {
      if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) faults.push(message.text())
    })
    page.on("request", request => {
      if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(edge.url("/"))) faults.push(`asked ${request.url()}`)
    })
    return { page, faults, [Symbol.asyncDispose]: () => context.close() }
  }
  const to = (page: Page, path: string) => page.goto(edge.url(`/admin${path}`))

  for (const [name, options] of Object.entries<BrowserContextOptions>({ light: {}, dark: { colorScheme: "dark" }, phone: { viewport: PHONE, hasTouch: true } })) {
    test(`axe finds nothing: ${name}`, async () => {
      await using tab = await open({ ...options, bypassCSP: true })
      const axe = readFileSync(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir), "utf8")
      for (const path of PAGES) {
        await to(tab.page, path)
        await tab.page.evaluate(axe)
        const found = await tab.page.evaluate("axe.run(document).then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))")
        expect([path, found]).toEqual([path, []])
        const [wide, screen] = (await tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")) as [number, number]
        expect([path, wide <= screen]).toEqual([path, true])
      }
      expect(tab.faults).toEqual([])
    })
  }

  test("hostile rows run nothing, and the policy has nothing to refuse", async () => {
    await using tab = await open()
    for (const path of ["/post", "/post/72", "/post/72/delete", "/section", "/tag", "/comment/1", "/post/add"]) {
      await to(tab.page, path)
      expect(await tab.page.evaluate("window.hacked")).toBeUndefined()
    }
    expect(tab.faults).toEqual([])
  })

  test("with the keyboard alone: find, walk, tick, act, edit, save, help, jump", async () => {
    await using tab = await open()
    const { page } = tab
    await to(page, "/post")
    await page.keyboard.press("/")
    await page.keyboard.type("Post 3")
    await page.waitForURL(/q=Post\+3|q=Post%203/)
    await page.waitForSelector("#live:has-text('16 posts')", { state: "attached" })
    expect(await page.locator("tr[data-row]").count()).toBe(16)
    await page.keyboard.press("Escape")
    for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key)
    expect(await page.textContent("[data-ticked]")).toBe("2")
    await page.keyboard.press("Enter")
    await page.waitForSelector("#f-title")
    await page.fill("#f-title", "By keyboard")
    expect(await page.isVisible("[data-unsaved]")).toBe(true)
    await page.keyboard.press("Control+s")
    await page.waitForSelector(".toast-success")
    expect(await page.textContent(".toast p")).toBe("Post “By keyboard” was saved.")
    await page.keyboard.press("?")
    expect(await page.isVisible("#help")).toBe(true)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("comments")
    await page.keyboard.press("Enter")
    await page.waitForURL("**/admin/comment")
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await page.waitForURL("**/admin")
    expect(tab.faults).toEqual([])
  })

  test("filters, sorting and paging change the list in place, and back leads back", async () => {
    await using tab = await open()
    const { page } = tab
    await to(page, "/post")
    await page.evaluate("window.same = 1")
    await page.click("#filter-section summary")
    await page.click("#filter-section .drop-item:has-text('City')")
    await page.waitForSelector(".chip:has-text('City')")
    await page.click("a.sort:has-text('Title')")
    await page.waitForURL(/sort=title/)
    await page.click("a.sort:has-text('Published')", { modifiers: ["Shift"] })
    await page.waitForURL(/sort=title%2CpublishedAt/)
    await page.goBack()
    await page.waitForURL(/sort=title(?!%2C)/)
    await to(page, "/post")
    await page.click("a:has-text('Next')")
    await page.waitForURL(/after=/)
    await page.waitForSelector("a:has-text('Previous')")
    await page.keyboard.press("[")
    await page.waitForURL(/before=/)
    expect(await page.getAttribute("[name=q]", "value")).toBe("")
    expect(tab.faults).toEqual([])
  })

  test("a relation with many rows is found by typing, a slug follows its title, and leaving asks", async () => {
    await using tab = await open()
    const { page } = tab
    await to(page, "/post/add")
    await page.fill("#f-title", "Zażółć gęślą")
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>("#f-slug")!.value === "zazolc-gesla")
    await page.selectOption("#f-section", "1")
    const author = page.getByRole("combobox", { name: "Author" })
    await author.click()
    await author.fill("Reader 07")
    await page.waitForSelector(".combo-list li:has-text('Reader 07')")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    expect(await author.inputValue()).toBe("Reader 07")
    const dialog = page.waitForEvent("dialog")
    void page.click("a:has-text('Cancel')").catch(() => {})
    const asked = await dialog
    expect([asked.type(), page.url()]).toEqual(["beforeunload", edge.url("/admin/post/add")])
    await asked.dismiss()
    await page.click(".formset-add")
    expect(await page.locator(".formset-row:not(template .formset-row)").count()).toBe(2)
    await page.fill("[name=comment-1-name]", "Ula")
    await page.fill("[name=comment-1-text]", "Hi")
    await page.click(".save-bar [name=_continue]")
    await page.waitForSelector(".toast-success")
    expect(await page.getByRole("combobox", { name: "Author" }).inputValue()).toBe("Reader 07")
    expect(await page.inputValue("[name=comment-0-name]")).toBe("Ula")
    expect(tab.faults).toEqual([])
  })

  test("dark and light follow the system, and the switch stays after a reload", async () => {
    await using tab = await open({ colorScheme: "dark" })
    const { page } = tab
    const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor")
    await to(page, "")
    expect(await background()).toBe("rgb(13, 16, 21)")
    await page.click("[data-theme-switch] [value=light]")
    expect(await background()).toBe("rgb(245, 246, 248)")
    await page.waitForLoadState("networkidle")
    await page.reload()
    expect(await background()).toBe("rgb(245, 246, 248)")
    await page.click("[data-theme-switch] [value=auto]")
    expect(tab.faults).toEqual([])
  })

  test("without scripts: menu, filter, add with an inner row, error, edit, action, deletion", async () => {
    await using tab = await open({ javaScriptEnabled: false, viewport: PHONE })
    const { page } = tab
    await to(page, "")
    await page.click("[popovertarget=menu]")
    await page.click("#menu a:has-text('Posts')")
    await page.click("#filter-state summary")
    await page.click("#filter-state a:has-text('Draft')")
    expect(page.url()).toEndWith("?f.state=draft")
    await page.click("a:has-text('Add post')")
    await page.fill("#f-title", "No scripts")
    await page.selectOption("#f-section", "1")
    await page.click(".formset-add")
    expect(await page.inputValue("#f-title")).toBe("No scripts")
    expect(await page.locator(".formset-row").count()).toBe(2)
    await page.fill("[name=comment-0-name]", "Maks")
    await page.click(".save-bar [name=_save]")
    expect(await page.locator("[aria-invalid=true]").evaluateAll(inputs => inputs.map(input => (input as HTMLInputElement).name))).toEqual(["comment-0-text", "author"])
    await page.fill("[name=author__find]", "Reader 11")
    await page.click(".field:has(#f-author) .field-find button")
    await page.selectOption("#f-author", { label: "Reader 11" })
    await page.fill("[name=comment-0-text]", "Hello")
    await page.click(".save-bar [name=_save]")
    expect(await page.textContent(".toast p")).toBe("Post “No scripts” was added.")
    await page.fill("#q", "No scripts")
    await page.keyboard.press("Enter")
    await page.check("input[name=id]")
    await page.click("button[value=publish]")
    await page.click(".ask-buttons button")
    expect(await page.textContent(".toast p")).toBe("1 published.")
    await page.click(".row-link")
    await page.click("a:has-text('Delete')")
    expect(await page.textContent(".touched summary")).toContain("1 comment")
    await page.click(".ask-buttons button")
    expect(await page.textContent(".toast p")).toBe("Post “No scripts” was deleted.")
  })
})
