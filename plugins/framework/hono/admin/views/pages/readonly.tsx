import type { Child } from "hono/jsx"
import { filesIfAny } from "../../../files/storage.ts"
import type { ModelAdmin } from "../../model/model-admin.ts"
import type { Related } from "../../data/related.ts"
import type { AnyRow } from "../../model/staff.ts"
import { showValue } from "../../data/values.ts"
import type { AdminRequest } from "../request.tsx"
import { Flag, RelatedRows, NOTHING } from "./cells.tsx"

interface ReadonlyProps {
  readonly request: AdminRequest
  readonly modelAdmin: ModelAdmin
  readonly field: string
  readonly row: AnyRow
  readonly related: Related
  readonly prefix?: string
}

/** A field that is shown and cannot be changed. */
export function ReadonlyField({ request, modelAdmin, field: key, row, related, prefix = "" }: ReadonlyProps): Child {
  return (
    <div class="field readonly" role="group" aria-label={modelAdmin.labelOf(key)}>
      <span class="readonly-label">
        {prefix}
        {modelAdmin.labelOf(key)}
      </span>
      <div class="readonly-value">
        <ReadonlyValue request={request} modelAdmin={modelAdmin} field={key} row={row} related={related} />
      </div>
    </div>
  )
}

export function ReadonlyValue({ request, modelAdmin, field: key, row, related }: ReadonlyProps): Child {
  const field = modelAdmin.field(key)
  const value: unknown = row[modelAdmin.rowKey(key)]
  if (field.kind === "reference" || field.kind === "many") return <RelatedRows links={related.of(key, row)} request={request} />
  if (value === null || value === undefined || value === "") return NOTHING
  switch (field.kind) {
    case "boolean":
      return <Flag on={value === true} />
    case "image": {
      const url = filesIfAny()?.url(String(value), { width: 320 })
      return url === undefined ? <span class="mono">{String(value)}</span> : <img class="preview" src={url} alt={modelAdmin.labelOf(key)} loading="lazy" />
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
      return showValue(field, value, request.zone)
  }
}
