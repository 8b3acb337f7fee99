import type { Child } from "hono/jsx"
import { filesIfAny } from "../../../files/storage.ts"
import type { RelatedRow } from "../../model/access.ts"
import type { ListColumn } from "../../model/model-admin.ts"
import { showDay, showDatetime } from "../../data/datetimes.ts"
import type { Related } from "../../data/related.ts"
import type { AnyRow } from "../../model/staff.ts"
import { choiceLabel, cutText } from "../../data/values.ts"
import type { AdminRequest } from "../request.tsx"
import { Icon } from "./icons.tsx"

export const NOTHING: Child = (
  <span class="nothing">
    <span aria-hidden="true">–</span>
    <span class="visually-hidden">empty</span>
  </span>
)

interface CellProps {
  readonly request: AdminRequest
  readonly column: ListColumn
  readonly row: AnyRow
  readonly related: Related
}

/** One cell of a list. Everything from a row is text to JSX, and so escaped. */
export function Cell({ request, column, row, related }: CellProps): Child {
  const { field } = column
  if (field === undefined) return column.cell!(row)
  if (field.kind === "reference" || field.kind === "many") return <RelatedRows links={related.of(column.key, row)} request={request} />
  return <Value request={request} column={column} value={row[column.key]} />
}

function Value({ request, column, value }: { request: AdminRequest; column: ListColumn; value: unknown }): Child {
  const field = column.field!
  if (value === null || value === undefined || value === "") return NOTHING
  switch (field.kind) {
    case "boolean":
      return <Flag on={value === true} />
    case "choice":
      return <span class={`badge tone-${Math.max(0, (field.options.choices ?? []).findIndex(([choice]) => choice === value)) % 6}`}>{choiceLabel(field, value)}</span>
    case "datetime":
      return <time datetime={(value as Date).toISOString()}>{showDatetime(value as Date, request.zone)}</time>
    case "date":
      return <time datetime={String(value)}>{showDay(String(value))}</time>
    case "image":
      return <Picture file={String(value)} width={80} />
    case "file":
      return <span class="mono">{cutText(String(value).split("/").at(-1)!, 40)}</span>
    case "url":
      return <OutLink href={String(value)} />
    case "slug":
    case "uuid":
      return <span class="mono">{cutText(String(value), 60)}</span>
    case "json":
      return <span class="mono">{cutText(JSON.stringify(value), 60)}</span>
    case "integer":
    case "number":
      return (value as number).toLocaleString("en-GB", { maximumFractionDigits: 6 })
    default:
      return cutText(String(value), 90)
  }
}

export function Flag({ on }: { on: boolean }): Child {
  return on ? (
    <span class="flag flag-on">
      <Icon name="check" size={16} />
      <span class="visually-hidden">Yes</span>
    </span>
  ) : (
    <span class="flag flag-off">
      <Icon name="close" size={14} />
      <span class="visually-hidden">No</span>
    </span>
  )
}

const MOST_LINKS = 3

export function RelatedRows({ links, request }: { links: readonly RelatedRow[]; request: AdminRequest }): Child {
  if (links.length === 0) return NOTHING
  return (
    <span class="links">
      {links.slice(0, MOST_LINKS).map(link =>
        link.modelAdmin === undefined ? <span>{cutText(link.title, 40)}</span> : <a href={request.site.to(link.modelAdmin, link.id)}>{cutText(link.title, 40)}</a>,
      )}
      {links.length > MOST_LINKS && <span class="more">+{links.length - MOST_LINKS}</span>}
    </span>
  )
}

export function Picture({ file, width }: { file: string; width: number }): Child {
  const url = filesIfAny()?.url(file, { width })
  return url === undefined ? <span class="mono">{cutText(file, 20)}</span> : <img class="thumb" src={url} alt="" loading="lazy" width={40} height={40} />
}

/** A link from a row leads anywhere: only web addresses, and the other site does not learn where it was. */
function OutLink({ href }: { href: string }): Child {
  if (!/^https?:\/\//i.test(href)) return cutText(href, 60)
  return (
    <a href={href} rel="noreferrer noopener nofollow" target="_blank">
      {cutText(href.replace(/^https?:\/\//i, ""), 40)}
    </a>
  )
}
