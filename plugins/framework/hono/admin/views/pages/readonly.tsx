import type { Child } from "hono/jsx"
import { filesIfAny } from "../../../files/storage.ts"
import type { Desk } from "../../model/model-admin.ts"
import type { Related } from "../../data/related.ts"
import type { AnyRow } from "../../model/staff.ts"
import { showValue } from "../../data/values.ts"
import type { Visit } from "../request.tsx"
import { Flag, Links, NOTHING } from "./cells.tsx"

interface ReadonlyProps {
  readonly visit: Visit
  readonly desk: Desk
  readonly field: string
  readonly row: AnyRow
  readonly related: Related
  readonly prefix?: string
}

/** A field that is shown and cannot be changed. */
export function ReadonlyField({ visit, desk, field: key, row, related, prefix = "" }: ReadonlyProps): Child {
  return (
    <div class="field readonly" role="group" aria-label={desk.labelOf(key)}>
      <span class="readonly-label">
        {prefix}
        {desk.labelOf(key)}
      </span>
      <div class="readonly-value">
        <ReadonlyValue visit={visit} desk={desk} field={key} row={row} related={related} />
      </div>
    </div>
  )
}

export function ReadonlyValue({ visit, desk, field: key, row, related }: ReadonlyProps): Child {
  const field = desk.field(key)
  const value: unknown = row[desk.rowKey(key)]
  if (field.kind === "reference" || field.kind === "many") return <Links links={related.of(key, row)} visit={visit} />
  if (value === null || value === undefined || value === "") return NOTHING
  switch (field.kind) {
    case "boolean":
      return <Flag on={value === true} />
    case "image": {
      const url = filesIfAny()?.url(String(value), { width: 320 })
      return url === undefined ? <span class="mono">{String(value)}</span> : <img class="preview" src={url} alt={desk.labelOf(key)} loading="lazy" />
    }
    case "file": {
      const url = filesIfAny()?.url(String(value))
      return url === undefined ? <span class="mono">{String(value)}</span> : <a href={url}>{String(value).split("/").at(-1)}</a>
    }
    case "json":
      return <pre class="mono">{JSON.stringify(value, null, 2)}</pre>
    case "markdown":
      return <div class="long-text">{String(value)}</div>
    default:
      return showValue(field, value, visit.zone)
  }
}
