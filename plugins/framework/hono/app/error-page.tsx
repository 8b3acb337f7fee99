import { existsSync, readFileSync } from "node:fs"
import { relative } from "node:path"
import { html, raw } from "hono/html"
import type { Child } from "hono/jsx"
import type { Ctx } from "./env.ts"
import type { Trace } from "./trace.ts"

const STYLE = `
:root { color-scheme: light dark }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 64rem; margin: 3rem auto; padding: 0 1.25rem }
h1 { font-size: 1.6rem; margin: 0 0 .25rem } h2 { font-size: 1rem; margin: 2rem 0 .5rem }
p { margin: .25rem 0 } .dim { opacity: .7 }
pre { overflow: auto; margin: 0; padding: .75rem 1rem; background: #8881; border-radius: .5rem; font: 13px/1.6 ui-monospace, monospace }
.at { display: block; background: #d332; margin: 0 -1rem; padding: 0 1rem; border-left: 4px solid #d33 }
table { border-collapse: collapse; font: 13px/1.6 ui-monospace, monospace } td { padding: .1rem 1.5rem .1rem 0; vertical-align: top; word-break: break-word }
button { font: inherit; padding: .5rem 1rem; border-radius: .5rem; border: 0; background: #2563eb; color: #fff; cursor: pointer }
`

function page(title: string, body: Child): Child {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>{title}</title>
        <style>{raw(STYLE)}</style>
      </head>
      <body>{body}</body>
    </html>
  )
}

function whole(child: Child): ReturnType<typeof html> {
  return html`<!DOCTYPE html>${child as never}`
}

/** What visitors see of an error. */
export function plainPage({ title, text, status }: { title: string; text: string; status: number }): ReturnType<typeof html> {
  return whole(
    page(
      title,
      <main>
        <p class="dim">{status}</p>
        <h1>{title}</h1>
        <p>{text}</p>
        <p>
          <a href="/">To the start page</a>
        </p>
      </main>,
    ),
  )
}

interface Note {
  readonly title: string
  readonly text: string
  readonly commands: readonly string[]
  readonly button?: string
  readonly failed?: string
  readonly action: string
  readonly back: string
  readonly field: string
  readonly token: string
}

/** Something to be done before the app can go on, with a button that does it. Dev only. */
export function notePage(note: Note): ReturnType<typeof html> {
  return whole(
    page(
      note.title,
      <main>
        <h1>{note.title}</h1>
        <p>{note.text}</p>
        {note.failed !== undefined && <pre class="at">{note.failed}</pre>}
        {note.button !== undefined && (
          <form method="post" action={note.action}>
            <input type="hidden" name={note.field} value={note.token} />
            <input type="hidden" name="back" value={note.back} />
            <p>
              <button>{note.button}</button>
            </p>
          </form>
        )}
        {note.commands.length > 0 && (
          <>
            <h2>Or in the terminal</h2>
            <pre>{note.commands.join("\n")}</pre>
          </>
        )}
      </main>,
    ),
  )
}

/** What whoever writes the app sees of an error: where, the request, what was asked of the database. Dev only. */
export function errorPage(error: Error, c: Ctx, trace: Trace | undefined): ReturnType<typeof html> {
  const place = placeOf(error, c.var.app.booted.dir)
  return whole(
    page(
      error.message,
      <main>
        <p class="dim">
          {error.name} in {c.req.method} {c.req.path}
        </p>
        <h1>{error.message}</h1>
        {place !== undefined && <Source {...place} />}
        <h2>Stack</h2>
        <pre>{stackOf(error)}</pre>
        <h2>Request</h2>
        <table>
          {[...c.req.raw.headers].map(([name, value]) => (
            <tr>
              <td>{name}</td>
              <td>{/cookie|authorization/i.test(name) ? "(not shown)" : value}</td>
            </tr>
          ))}
        </table>
        <h2>Asked of the database: {trace?.queries.length ?? 0}</h2>
        {(trace?.queries ?? []).map(({ sql, params }) => (
          <pre>
            {sql}
            {params.length > 0 && <span class="dim"> {JSON.stringify(params)?.slice(0, 500)}</span>}
          </pre>
        ))}
      </main>,
    ),
  )
}

interface Place {
  readonly file: string
  readonly line: number
  readonly shown: string
}

/** The first line of the stack that is the app's own. */
function placeOf(error: Error, dir: string): Place | undefined {
  for (const [, file = "", line = "0"] of (error.stack ?? "").matchAll(/\(?(\/[^()\n:]+):(\d+):\d+\)?$/gm)) {
    if (file.startsWith(dir) && !file.includes("/node_modules/") && existsSync(file)) return { file, line: Number(line), shown: relative(dir, file) }
  }
  return undefined
}

function Source({ file, line, shown }: Place): Child {
  const lines = readFileSync(file, "utf8").split("\n")
  const first = Math.max(0, line - 6)
  return (
    <>
      <h2>
        {shown}:{line}
      </h2>
      <pre>
        {lines.slice(first, line + 5).map((text, i) => {
          const number = first + i + 1
          const row = `${String(number).padStart(4)}  ${text}\n`
          return number === line ? <span class="at">{row}</span> : row
        })}
      </pre>
    </>
  )
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : ""
  return `${error.stack ?? error.message}${cause}`
}
