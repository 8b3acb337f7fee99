/** The pages of users in a browser: whole without JavaScript, nothing for axe to find, in light, dark and narrow. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Secret, TOTP } from "otpauth"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { executable } from "../build.ts"
import { Edge } from "../kit/edge.ts"
import { describeWith, found } from "../kit/needs.ts"

setDefaultTimeout(120_000)

const app = `import { App } from "edge/app"
import { users } from "edge/auth"
const app = new App({ name: "Newsroom", parts: [users({ hashing: { memoryCost: 64, timeCost: 1 } })] })
app.get("/", c => c.text("hello " + (c.var.user?.name ?? "stranger")))
export default app
`
const config = `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "news"\n[app.news]\nentry = "app.tsx"\ngateway = "inline"\nenv = { MAIL_URL = "file:mails" }\n`
const PASSWORD = "mauve otter lantern"
const axe = readFileSync(join(import.meta.dir, "..", "..", "node_modules", "axe-core", "axe.min.js"), "utf8")

describeWith(["chromium"], "pages of users", () => {
  let edge: Edge
  let browser: Browser
  beforeAll(async () => {
    await executable()
    const made = await Edge.launch({ config, files: { "app.tsx": app }, args: ["manage", "news", "makemigrations"] })
    expect(await made.exited).toBe(0)
    expect((await made.command("manage", "news", "migrate")).code).toBe(0)
    const root = ["manage", "news", "createsuperuser", "--email", "root@example.com", "--name", "Root"]
    expect(await (await Edge.again(made.dir, { args: root, env: { EDGE_PASSWORD: PASSWORD } })).exited).toBe(0)
    edge = await Edge.again(made.dir)
    await edge.heard(/INFO {2}serving generation=1/)
    browser = await chromium.launch({ executablePath: found("chromium")!, args: ["--no-sandbox"] })
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await edge?.[Symbol.asyncDispose]()
  })

  const visit = async (options: BrowserContextOptions, f: (page: Page) => Promise<void>): Promise<void> => {
    const context = await browser.newContext(options)
    try {
      await f(await context.newPage())
    } finally {
      await context.close()
    }
  }
  const fill = async (page: Page, fields: Record<string, string>, button: string): Promise<void> => {
    for (const [selector, value] of Object.entries(fields)) await page.fill(selector, value)
    await page.click(`button:has-text("${button}")`)
  }
  const login = async (page: Page): Promise<void> => {
    await page.goto(edge.url("/login"))
    await fill(page, { "[name=email]": "root@example.com", "[name=password]": PASSWORD }, "Log in")
  }

  test("without JavaScript: login, two-step login on, in by a code, logged out", async () => {
    await visit({ javaScriptEnabled: false }, async page => {
      await page.goto(edge.url("/login?next=/account"))
      await fill(page, { "[name=email]": "root@example.com", "[name=password]": "wrong" }, "Log in")
      expect(await page.textContent("[role=alert]")).toContain("is not right")
      expect(await page.inputValue("[name=email]")).toBe("root@example.com")
      await fill(page, { "[name=password]": PASSWORD }, "Log in")
      expect(new URL(page.url()).pathname).toBe("/account")
      await page.click("text=Set it up with an authenticator app")
      const totp = new TOTP({ secret: Secret.fromBase32((await page.textContent(".auth-secret"))!.replaceAll(" ", "")) })
      await fill(page, { "[name=code]": totp.generate(), "[name=current]": PASSWORD }, "Switch it on")
      const codes = await page.locator(".auth-codes li").allTextContents()
      expect(codes).toHaveLength(10)
      await page.click("text=I have saved them")
      await page.click("text=Log out here")
      await login(page)
      await fill(page, { "[name=code]": codes[0]! }, "Continue")
      expect(await page.textContent("body")).toBe("hello Root")
      await page.goto(edge.url("/account"))
      await fill(page, { "#auth-second-current": PASSWORD }, "Switch it off")
      expect(await page.textContent("[role=status]")).toBe("Two-step login is switched off.")
    })
  })

  for (const [look, options] of Object.entries({
    light: { colorScheme: "light", viewport: { width: 1100, height: 800 } },
    "dark and narrow": { colorScheme: "dark", viewport: { width: 340, height: 700 } },
  } satisfies Record<string, BrowserContextOptions>)) {
    test(`axe finds nothing, nothing is wider than the window: ${look}`, async () => {
      await visit({ ...options, bypassCSP: true }, async page => {
        const check = async (name: string): Promise<void> => {
          await page.evaluate(axe)
          const { violations } = (await page.evaluate("axe.run()")) as { violations: { id: string; nodes: { html: string }[] }[] }
          expect([name, violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`)]).toEqual([name, []])
          expect([name, await page.evaluate("document.documentElement.scrollWidth - innerWidth")]).toEqual([name, 0])
        }
        await page.goto(edge.url("/signup"))
        await check("sign-up")
        await fill(page, { "[name=email]": "nobody", "[name=password]": "short" }, "Create an account")
        await check("sign-up, refused")
        await page.goto(edge.url("/password"))
        await check("forgotten")
        await page.goto(edge.url("/reset/none"))
        await check("dead link")
        await page.goto(edge.url("/login"))
        await check("login")
        await login(page)
        for (const path of ["/account", "/account/second-factor", "/logout"]) {
          await page.goto(edge.url(path))
          await check(path)
        }
      })
    })
  }
})
