import type { Child } from "hono/jsx"
import type { Desk } from "../../model/model-admin.ts"
import type { Visit } from "../request.tsx"
import { Icon } from "./icons.tsx"

/** Buttons at the right of a list's title. */
export function ListTools({ visit, desk, query, mayAdd, mayExport }: { visit: Visit; desk: Desk; query: string; mayAdd: boolean; mayExport: boolean }): Child {
  const { site } = visit
  return (
    <div id="list-tools" class="tools">
      {mayExport && (
        <details class="drop drop-end">
          <summary class="button">
            <Icon name="download" />
            Export
          </summary>
          <div class="drop-body">
            <a class="drop-item" href={site.to(desk, "export.csv") + query} download>
              CSV <small>for spreadsheets</small>
            </a>
            <a class="drop-item" href={site.to(desk, "export.json") + query} download>
              JSON <small>for programs</small>
            </a>
          </div>
        </details>
      )}
      {mayAdd && (
        <a class="button primary" href={site.to(desk, "add")} data-key="n">
          <Icon name="plus" />
          Add {desk.label.toLowerCase()}
        </a>
      )}
    </div>
  )
}
