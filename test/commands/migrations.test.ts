/** Changes of models on tables with rows, with nothing but the executable. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { executable } from "../build.ts"
import { describeWith } from "../kit/needs.ts"
import { Postgres } from "../kit/postgres.ts"
import { Folder } from "./kit.ts"

setDefaultTimeout(120_000)
beforeAll(executable, 120_000)

/** An app of these models; its command `try` evaluates and prints. */
class Site extends Folder {
  constructor(private readonly env: Record<string, string> = {}) {
    super()
  }

  models(code: string, names: string): this {
    return this.write({
      "app.tsx": `import { App } from "edge/app"
import { boolean, date, decimal, integer, json, many, model, references, text } from "edge/db"
${code}
const app = new App({ models: [${names}] })
app.command({ name: "try", help: "", run: async ([code]) => console.log(JSON.stringify(await new Function(${JSON.stringify(names)}, "return (async () => " + code + ")()")(${names}))) })
export default app
`,
    })
  }

  async manage(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.edge(["manage", "app.tsx", ...args], { env: this.env })
    return code === 0 ? stdout : `failed: ${stderr || stdout}`
  }

  async value(code: string): Promise<unknown> {
    const said = await this.manage("try", code)
    try {
      return JSON.parse(said) as unknown
    } catch {
      return said
    }
  }

  async change(code: string, names: string, ...args: string[]): Promise<string> {
    this.models(code, names)
    const made = await this.manage("makemigrations", ...args)
    return made.startsWith("failed") ? made : this.manage("migrate")
  }
}

function suite(dialect: "sqlite" | "postgres", env: (name: string) => Promise<Record<string, string>>): void {
  test("a decimal's scale: a migration, the same amounts, and nothing is read or served before it ran", async () => {
    using site = new Site(await env("scale"))
    const bill = (scale: number) => `const Bill = model("bill", { amount: decimal({ scale: ${scale} }) })`
    await site.change(bill(2), "Bill")
    expect(await site.value(`Bill.createMany([{ amount: "1250" }, { amount: "999999999999999.99" }, { amount: "-.05" }])`)).toMatchObject([{ amount: "1250.00" }, { amount: "999999999999999.99" }, { amount: "-0.05" }])
    site.models(bill(3), "Bill")
    expect(await site.manage("migrate", "--check")).toContain("the models have changed since 0001_initial")
    if (dialect === "sqlite") {
      const refused = "bill.amount is kept as decimal(2), the model says decimal(3): edge manage app makemigrations, then migrate"
      expect(await site.value("Bill.all")).toContain(refused)
      site.write({ "site.toml": `[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "app"\n[app.app]\nentry = "app.tsx"\n` })
      const { code, stderr, stdout } = await site.edge(["check", "--apps"])
      expect([code, stderr + stdout]).toEqual([1, expect.stringContaining(refused)])
    }
    await site.manage("makemigrations")
    expect(await site.manage("migrate")).toBe("0002_alter_bill: applied\n")
    expect(await site.value(`Bill.order("amount").pluck("amount")`)).toEqual(["-0.050", "1250.000", "999999999999999.990"])
    await site.value(`Bill.create({ amount: "1.239" })`)
    expect(await site.manage("rollback")).toContain("nothing was changed")
    await site.value(`Bill.where({ amount: "1.239" }).delete()`)
    expect(await site.manage("rollback")).toBe("0002_alter_bill: taken back\n")
    site.models(bill(2), "Bill")
    expect(await site.value(`Bill.order("id").pluck("amount")`)).toEqual(["1250.00", "999999999999999.99", "-0.05"])
  })

  test("optional to needed takes the fill; a new needed field beside a rebuild keeps its own", async () => {
    using site = new Site(await env("fill"))
    const item = (fields: string) => `const Item = model("item", { ${fields} })`
    await site.change(item("name: text({ optional: true }), count: integer({ optional: true })"), "Item")
    await site.value(`Item.create({ name: "a" })`)
    expect(await site.change(item("name: text({ optional: true }), count: integer()"), "Item", "--fill", "item.count=5")).toContain("applied")
    expect(await site.value("Item.all")).toEqual([{ id: 1, name: "a", count: 5 }])
    expect(await site.change(item("name: text(), count: text(), extra: integer()"), "Item", "--new", "item.extra", "--fill", "item.extra=0")).toContain("applied")
    expect(await site.value("Item.all")).toEqual([{ id: 1, name: "a", count: "5", extra: 0 }])
    expect(await site.change(item("name: text(), count: text(), day: date()"), "Item", "--new", "item.day", "--fill", "item.day=2026-02-30")).toContain("No such day")
    expect(await site.change(item("name: text(), count: text(), extra: integer(), j: json()"), "Item", "--fill", 'item.j="abc"')).toContain("applied")
    expect(await site.value("Item.all")).toEqual([{ id: 1, name: "a", count: "5", extra: 0, j: "abc" }])
  })

  test("a needed field that goes can be taken back, and it is said what rows get", async () => {
    using site = new Site(await env("back"))
    const a = (fields: string) => `const A = model("a", { ${fields} })`
    await site.change(a("x: text(), y: text()"), "A")
    await site.value(`A.create({ x: "q", y: "w" })`)
    await site.change(a("x: text()"), "A")
    expect(await site.manage("rollback")).toBe("0002_alter_a: taken back\n  a.y: the values are gone; rows get ''\n")
    site.models(a("x: text(), y: text()"), "A")
    expect(await site.value("A.all")).toEqual([{ id: 1, x: "q", y: "" }])
  })

  test("after a model was renamed, its keys can be changed", async () => {
    using site = new Site(await env("keys"))
    await site.change(`const P = model("person", { n: text() }); const Q = model("pet", { owner: references(P) })`, "P, Q")
    await site.value(`P.create({ n: "Ann" }).then(owner => Q.create({ owner }))`)
    await site.change(`const P = model("client", { n: text() }); const Q = model("pet", { owner: references(P) })`, "P, Q", "--rename", "person=client")
    expect(await site.change(`const P = model("client", { n: text() }); const Q = model("pet", { owner: references(P, { optional: true }) })`, "P, Q")).toContain("0003_alter_pet: applied")
    expect(await site.value("P.delete(1).then(() => Q.all)")).toEqual([{ id: 1, ownerId: null }])
  })

  test("a text that is no number stops the migration", async () => {
    using site = new Site(await env("text"))
    await site.change(`const A = model("a", { x: text() })`, "A")
    await site.value(`A.create({ x: "SW1A 1AA" })`)
    expect(await site.change(`const A = model("a", { x: integer() })`, "A")).toContain("SW1A 1AA")
    // The one that does not run is taken out again, and everything is as it was.
    rmSync(join(site.path, "migrations", "0002_alter_a"), { recursive: true })
    site.models(`const A = model("a", { x: text() })`, "A")
    expect(await site.value("A.all")).toEqual([{ id: 1, x: "SW1A 1AA" }])
  })
}

describe("SQLite", () => {
  suite("sqlite", async () => ({}))

  test("a CHECK that was written by hand stays", async () => {
    using site = new Site()
    site.models(`const A = model("a", { x: text(), n: integer() })`, "A")
    await site.manage("makemigrations")
    const file = join(site.path, "migrations", "0001_initial", "up.sql")
    writeFileSync(file, readFileSync(file, "utf8").replace("`n` integer NOT NULL", "`n` integer NOT NULL CHECK (n >= 0)"))
    await site.manage("migrate")
    await site.change(`const A = model("a", { x: text({ optional: true }), n: integer() })`, "A")
    expect(await site.value(`A.create({ n: -1 }).then(() => "taken", error => error.cause.message)`)).toContain("CHECK constraint failed")
  })
})

describeWith(["postgresql"], "PostgreSQL", () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await Postgres.start()
  })
  afterAll(() => postgres[Symbol.asyncDispose]())
  suite("postgres", async name => ({ DATABASE_URL: await postgres.database(name) }))
})
