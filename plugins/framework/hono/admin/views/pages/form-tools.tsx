import type { Child } from "hono/jsx"
import { CsrfField } from "../../../app/elements.tsx"
import type { OfferedAction } from "../actions.ts"
import type { ModelAdmin } from "../../model/model-admin.ts"
import type { AnyRow } from "../../model/staff.ts"
import type { AdminRequest } from "../request.tsx"
import { Icon } from "./icons.tsx"

interface ToolsFacts {
  readonly request: AdminRequest
  readonly modelAdmin: ModelAdmin
  readonly row: AnyRow
  readonly mayAdd: boolean
  readonly mayDelete: boolean
  readonly actions: readonly OfferedAction[]
}

/** Buttons at the right of a row's title. */
export function FormTools({ request, modelAdmin, row, mayAdd, mayDelete, actions }: ToolsFacts): Child {
  const { site } = request
  const view = modelAdmin.viewUrl(row)
  return (
    <>
      {view !== undefined && /^(?:\/(?!\/)|https?:\/\/)/i.test(view) && (
        <a class="button" href={view} target="_blank" rel="noopener">
          <Icon name="external" />
          View on site
        </a>
      )}
      {(actions.length > 0 || mayAdd) && (
        <details class="drop drop-end">
          <summary class="button">
            <Icon name="bolt" />
            Actions
          </summary>
          <div class="drop-body">
            {actions.length > 0 && (
              <form method="post" action={site.to(modelAdmin, "action")}>
                <CsrfField />
                <input type="hidden" name="id" value={String(row.id)} />
                <input type="hidden" name="back" value="row" />
                {actions.map(action => (
                  <button class="drop-item" type="submit" name="action" value={action.name}>
                    {action.label}
                  </button>
                ))}
              </form>
            )}
            {mayAdd && (
              <a class="drop-item" href={`${site.to(modelAdmin, "add")}?from=${row.id}`}>
                Duplicate
              </a>
            )}
          </div>
        </details>
      )}
      <a class="button" href={site.to(modelAdmin, row.id, "history")}>
        <Icon name="clock" />
        History
      </a>
      {mayDelete && (
        <a class="button danger" href={site.to(modelAdmin, row.id, "delete")}>
          <Icon name="trash" />
          Delete
        </a>
      )}
    </>
  )
}
