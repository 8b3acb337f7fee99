import type { Ctx } from "../../app/env.ts"
import type { Query } from "../../db/query.ts"
import type { Access } from "../model/access.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { Related } from "./related.ts"
import type { AnyRow } from "../model/staff.ts"
import { exportValue } from "./values.ts"

export type ExportFormat = "csv" | "json"

/** Rows at a time: memory stays the same for ten rows and ten million. */
const BATCH = 500

/** Rows as a download that is written while it is read. What may not be seen, rows or fields, is not in it. */
export function answerExport(c: Ctx, access: Access, o: { modelAdmin: ModelAdmin; query: Query<any>; format: ExportFormat }): Response {
  const parts = (o.format === "csv" ? csv : json)(batches(access, o.modelAdmin, o.query))
  const encoder = new TextEncoder()
  const { app } = c.var
  const body = new ReadableStream<Uint8Array>({
    // The stream is read after the handler has returned: its queries still need this app's database.
    pull: controller =>
      app.run(async () => {
        const next = await parts.next()
        if (next.done === true) controller.close()
        else controller.enqueue(encoder.encode(next.value))
      }),
    cancel: async () => void (await parts.return(undefined)),
  })
  const day = new Date().toISOString().slice(0, 10)
  return c.body(body, 200, {
    "Content-Type": o.format === "csv" ? "text/csv; charset=utf-8" : "application/json; charset=utf-8",
    "Content-Disposition": `attachment; filename="${o.modelAdmin.name}-${day}.${o.format}"`,
    "Cache-Control": "private, no-store",
  })
}

interface Batch {
  readonly modelAdmin: ModelAdmin
  readonly keys: readonly string[]
  readonly rows: readonly { readonly row: AnyRow; readonly hidden: ReadonlySet<string> }[]
  readonly related: Related
}

async function* batches(access: Access, modelAdmin: ModelAdmin, query: Query<any>): AsyncGenerator<Batch> {
  const levels = await access.levels(modelAdmin)
  const keys = modelAdmin.keys.filter(key => levels.get(key) !== "none")
  const make = async (rows: readonly AnyRow[]): Promise<Batch> => {
    const seen: AnyRow[] = []
    for (const row of await access.visible(modelAdmin.model, rows)) if (await access.may(modelAdmin, "export", row)) seen.push(row)
    const related = await new Related(access, modelAdmin).load(seen, keys)
    const hiddenIn = async (row: AnyRow) => (modelAdmin.settings.field === undefined ? [] : [...(await access.levels(modelAdmin, row))].filter(([, level]) => level === "none").map(([key]) => key))
    return { modelAdmin, keys, related, rows: await Promise.all(seen.map(async row => ({ row, hidden: new Set(await hiddenIn(row)) }))) }
  }
  let rows: AnyRow[] = []
  let any = false
  for await (const row of query.each(BATCH) as AsyncGenerator<AnyRow>) {
    rows.push(row)
    if (rows.length < BATCH) continue
    yield make(rows)
    any = true
    rows = []
  }
  // An empty export still has its head.
  if (rows.length > 0 || !any) yield make(rows)
}

/** RFC 4180. A reference has two columns: its id and its name. The byte order mark makes spreadsheets read UTF-8. */
async function* csv(all: AsyncGenerator<Batch>): AsyncGenerator<string, undefined> {
  let head = true
  for await (const { modelAdmin, keys, rows, related } of all) {
    const lines: string[] = []
    if (head) lines.push(`\uFEFF${["id", ...keys.flatMap(key => (modelAdmin.field(key).kind === "reference" ? [modelAdmin.rowKey(key), key] : [key]))].join(",")}`)
    head = false
    for (const { row, hidden } of rows) {
      const cells = keys.flatMap(key => {
        const field = modelAdmin.field(key)
        const closed = hidden.has(key)
        if (field.kind === "many") return [closed ? "" : textCell(related.of(key, row).map(link => link.title).join(", "))]
        if (field.kind === "reference") {
          const link = closed ? undefined : related.of(key, row)[0]
          return link === undefined ? ["", ""] : [String(link.id), textCell(link.title)]
        }
        const value = closed ? null : exportValue(field, row[key])
        if (value === null) return [""]
        if (typeof value === "number" || typeof value === "boolean" || field.kind === "decimal") return [String(value)]
        return [textCell(typeof value === "object" ? JSON.stringify(value) : value)]
      })
      lines.push([row.id, ...cells].join(","))
    }
    yield lines.join("\r\n") + "\r\n"
  }
}

/**
 * A text that begins like a formula is run as one when a spreadsheet opens the file (=HYPERLINK, =cmd|...): an apostrophe
 * before it makes it a text (https://owasp.org/www-community/attacks/CSV_Injection). Full-width signs count too.
 */
export function textCell(text: string): string {
  const safe = /^\s*[=+\-@＝＋－＠]|^[\t\r\n|%]/.test(text) ? `'${text}` : text
  return /[",\r\n;\t']|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

async function* json(all: AsyncGenerator<Batch>): AsyncGenerator<string, undefined> {
  let first = true
  yield "[\n"
  for await (const { modelAdmin, keys, rows, related } of all) {
    const items = rows.map(({ row, hidden }) => {
      const pairs = keys.filter(key => !hidden.has(key)).map(key => {
        const field = modelAdmin.field(key)
        const links = () => related.of(key, row).map(({ id, title }) => ({ id, title }))
        return [key, field.kind === "many" ? links() : field.kind === "reference" ? (links()[0] ?? null) : exportValue(field, row[key])]
      })
      return JSON.stringify({ id: row.id, ...Object.fromEntries(pairs) })
    })
    if (items.length === 0) continue
    yield (first ? "" : ",\n") + items.join(",\n")
    first = false
  }
  yield "\n]\n"
}
