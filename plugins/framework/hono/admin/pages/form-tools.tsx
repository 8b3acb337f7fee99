import type { Child } from "hono/jsx"
import type { Desk } from "../desk.ts"
import type { AnyRow } from "../staff.ts"
import type { Visit } from "../visit.tsx"
import { Icon } from "./icons.tsx"

/** Buttons at the right of a row's title. */
export function FormTools({ visit, desk, row, mayDelete }: { visit: Visit; desk: Desk; row: AnyRow; mayDelete: boolean }): Child {
  const { site } = visit
  const view = desk.viewUrl(row)
  return (
    <>
      {view !== undefined && /^(?:\/(?!\/)|https?:\/\/)/i.test(view) && (
        <a class="button" href={view} target="_blank" rel="noopener">
          <Icon name="external" />
          View on site
        </a>
      )}
      <a class="button" href={site.to(desk, row.id, "history")}>
        <Icon name="clock" />
        History
      </a>
      {mayDelete && (
        <a class="button danger" href={site.to(desk, row.id, "delete")}>
          <Icon name="trash" />
          Delete
        </a>
      )}
    </>
  )
}
