import type { Child } from "hono/jsx"
import type { ModelAdmin } from "../../model/model-admin.ts"
import type { AdminRequest } from "../request.tsx"
import { Icon } from "./icons.tsx"

/** Buttons at the right of a list's title. */
export function ListTools({ request, modelAdmin, query, mayAdd, mayExport }: { request: AdminRequest; modelAdmin: ModelAdmin; query: string; mayAdd: boolean; mayExport: boolean }): Child {
  const { site } = request
  return (
    <div id="list-tools" class="tools">
      {mayExport && (
        <details class="drop drop-end">
          <summary class="button">
            <Icon name="download" />
            Export
          </summary>
          <div class="drop-body">
            <a class="drop-item" href={site.to(modelAdmin, "export.csv") + query} download>
              CSV <small>for spreadsheets</small>
            </a>
            <a class="drop-item" href={site.to(modelAdmin, "export.json") + query} download>
              JSON <small>for programs</small>
            </a>
          </div>
        </details>
      )}
      {mayAdd && (
        <a class="button primary" href={site.to(modelAdmin, "add")} data-key="n">
          <Icon name="plus" />
          Add {modelAdmin.label.toLowerCase()}
        </a>
      )}
    </div>
  )
}
