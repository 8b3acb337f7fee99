import type { Child } from "hono/jsx"
import { CsrfField } from "../../../app/elements.tsx"
import type { OfferedAction } from "../actions.ts"
import type { ModelAdmin, ListColumn } from "../../model/model-admin.ts"
import type { Drill, Facet } from "../facets.ts"
import { isNarrowed, type ListState, showTotal, stateQuery, type Total } from "../../data/listing.ts"
import type { Related } from "../../data/related.ts"
import type { Level } from "../../model/settings.ts"
import type { AnyRow } from "../../model/staff.ts"
import type { AdminRequest } from "../request.tsx"
import { Cell, NOTHING } from "./cells.tsx"
import { DrillBar, Filters } from "./filters.tsx"
import { Icon } from "./icons.tsx"
import { Kept } from "./kept.tsx"

export interface ListRow {
  readonly row: AnyRow
  readonly title: string
  readonly levels: ReadonlyMap<string, Level>
}

export interface ListFacts {
  readonly request: AdminRequest
  readonly modelAdmin: ModelAdmin
  readonly state: ListState
  /** Only rows that are called exactly as was typed are shown. */
  readonly exact: boolean
  readonly columns: readonly ListColumn[]
  readonly cells: readonly ListRow[]
  readonly related: Related
  readonly facets: readonly Facet[]
  readonly drill: Drill | undefined
  readonly count: Total
  readonly actions: readonly OfferedAction[]
  readonly next: string | undefined
  readonly previous: string | undefined
}

/** A list: search and filters above, rows, then paging. What htmx replaces is `#results`; without it links do the same. */
export function ListPage(facts: ListFacts): Child {
  const { request, modelAdmin } = facts
  return (
    <div class="list" hx-select-oob="#filters,#kept,#list-tools">
      <div class="list-bar">
        {modelAdmin.search.length > 0 && <Search {...facts} />}
        <Filters {...facts} />
      </div>
      <div id="results" class="results" hx-boost="true" hx-target="#results" hx-select="#results" hx-swap="outerHTML show:none" data-total={`${showTotal(facts.count)} ${nounFor(modelAdmin, facts.count)}`}>
        <Chips {...facts} />
        {facts.exact && <Exact {...facts} />}
        {facts.drill !== undefined && <DrillBar drill={facts.drill} base={request.site.to(modelAdmin)} />}
        {facts.cells.length === 0 ? <Empty {...facts} /> : <Rows {...facts} />}
        {(facts.next !== undefined || facts.previous !== undefined) && facts.cells.length === 0 && <Paging {...facts} />}
      </div>
    </div>
  )
}

function nounFor(modelAdmin: ModelAdmin, count: Total): string {
  return (count.count === 1 ? modelAdmin.label : modelAdmin.labelPlural).toLowerCase()
}

function Search({ request, modelAdmin, state }: ListFacts): Child {
  return (
    <form class="search" role="search" method="get" action={request.site.to(modelAdmin)} hx-get={request.site.to(modelAdmin)} hx-trigger="submit, input changed delay:300ms from:#q" hx-target="#results" hx-select="#results" hx-swap="outerHTML show:none" hx-push-url="true" hx-sync="this:replace">
      <Icon name="search" />
      <input id="q" type="search" name="q" value={state.q} placeholder={`Search ${modelAdmin.labelPlural.toLowerCase()}`} aria-label={`Search ${modelAdmin.labelPlural.toLowerCase()}`} maxlength={200} autocomplete="off" data-key="/" />
      <kbd aria-hidden="true">/</kbd>
      <span id="kept" hidden>
        <Kept state={state} />
      </span>
      <button class="visually-hidden" type="submit">
        Search
      </button>
    </form>
  )
}

/** What narrows the list, each to be taken off with one click. */
function Chips({ request, modelAdmin, state, facets, drill }: ListFacts): Child {
  if (!isNarrowed(state)) return <></>
  const base = request.site.to(modelAdmin)
  const chip = (text: string, query: string) => (
    <a class="chip" href={base + query} aria-label={`Remove: ${text}`}>
      {text}
      <Icon name="close" size={13} />
    </a>
  )
  return (
    <div class="chips" role="group" aria-label="Active filters">
      {state.q !== "" && chip(`“${state.q}”`, stateQuery(state, { q: "" }))}
      {facets.filter(facet => facet.chosen.length > 0).map(facet => chip(`${facet.label}: ${facet.chosen.join(", ")}`, facet.clear))}
      {drill?.here !== undefined && chip(`${drill.label}: ${drill.here}`, stateQuery(state, { date: undefined }))}
      <a class="chip-clear" href={base + (state.sort.length > 0 ? `?sort=${state.sort.join(",")}` : "")}>
        Clear all
      </a>
    </div>
  )
}

/** In a large table an index answers first. */
function Exact({ request, modelAdmin, state }: ListFacts): Child {
  return (
    <p class="notice">
      <Icon name="search" />
      <span>
        This is called exactly “{state.q}”. <a href={request.site.to(modelAdmin) + stateQuery(state, { everywhere: true })}>Look into all texts</a>
      </span>
    </p>
  )
}

function Rows(facts: ListFacts): Child {
  const { request, modelAdmin, columns, cells, actions, state } = facts
  const nameColumn = columns.findIndex(column => column.field?.kind !== "image" && column.field?.kind !== "boolean" && column.field?.kind !== "reference" && column.field?.kind !== "many" && column.field?.kind !== "url")
  const leads = nameColumn === -1 ? 0 : nameColumn
  const ticks = actions.length > 0
  return (
    <form id="rows" method="post" action={request.site.to(modelAdmin, "action") + stateQuery(state)} hx-boost="false" data-rows>
      <CsrfField />
      <div class="table-wrap" role="region" aria-label={modelAdmin.labelPlural} tabindex={0}>
        <table>
          <thead>
            <tr>
              {ticks && (
                <th class="tick" scope="col">
                  <span class="visually-hidden">Select</span>
                  <input class="only-script" type="checkbox" data-tick-all aria-label="Select all on this page" />
                </th>
              )}
              {columns.map(column => (
                <Head facts={facts} column={column} />
              ))}
            </tr>
          </thead>
          <tbody>
            {cells.map(cell => (
              <tr data-row>
                {ticks && (
                  <td class="tick">
                    <input type="checkbox" name="id" value={String(cell.row.id)} aria-label={`Select ${cell.title}`} />
                  </td>
                )}
                {columns.map((column, i) => (
                  <RowCell facts={facts} cell={cell} column={column} leads={i === leads} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="list-foot">
        {ticks && <ActionBar {...facts} />}
        <Paging {...facts} />
      </div>
    </form>
  )
}

function RowCell({ facts, cell, column, leads }: { facts: ListFacts; cell: ListRow; column: ListColumn; leads: boolean }): Child {
  const { request, modelAdmin, related } = facts
  const hidden = column.field !== undefined && cell.levels.get(column.key) === "none"
  const content = hidden ? NOTHING : <Cell request={request} column={column} row={cell.row} related={related} />
  const plainName = column.field === undefined || cell.row[column.key] === null || cell.row[column.key] === "" ? undefined : content
  const kind = column.field?.kind ?? "computed"
  if (leads) {
    return (
      <th scope="row" class={`cell-${kind}`} data-label={column.label}>
        <a class="row-link" href={request.site.to(modelAdmin, cell.row.id)}>
          {column.field === undefined ? content : (plainName ?? cell.title)}
        </a>
      </th>
    )
  }
  return (
    <td class={column.numeric ? `cell-${kind} numeric` : `cell-${kind}`} data-label={column.label}>
      {content}
    </td>
  )
}

/** A column's heading. A click sorts by it alone, then the other way round; "+" sorts by it after what is sorted by. */
function Head({ facts, column }: { facts: ListFacts; column: ListColumn }): Child {
  const { request, modelAdmin, state } = facts
  const cls = column.numeric ? "numeric" : undefined
  if (column.sort === undefined) {
    return (
      <th scope="col" class={cls}>
        {column.label}
      </th>
    )
  }
  const order = state.sort.length > 0 ? state.sort : modelAdmin.order
  const at = order.findIndex(key => key.replace(/^-/, "") === column.sort)
  const descending = at !== -1 && order[at]!.startsWith("-")
  const base = request.site.to(modelAdmin)
  const flipped = descending ? column.sort : `-${column.sort}`
  const alone = stateQuery(state, { sort: [at === 0 ? flipped : column.sort] })
  const along = at === -1 ? [...state.sort, column.sort].slice(0, 3) : state.sort.map((key, i) => (i === at ? flipped : key))
  return (
    <th scope="col" class={cls} aria-sort={at === 0 ? (descending ? "descending" : "ascending") : undefined}>
      <span class="head">
        <a class="sort" href={base + alone} hx-boost="true" data-along={state.sort.length > 0 ? base + stateQuery(state, { sort: along }) : undefined}>
          {column.label}
          {at !== -1 && (
            <span class="sort-mark">
              <Icon name={descending ? "down" : "up"} size={13} />
              {state.sort.length > 1 && <small>{at + 1}</small>}
            </span>
          )}
        </a>
        {state.sort.length > 0 && state.sort.length < 3 && at === -1 && (
          <a class="sort-along" href={base + stateQuery(state, { sort: along })} hx-boost="true" aria-label={`Then sort by ${column.label}`} title={`Then by ${column.label}`}>
            +
          </a>
        )}
      </span>
    </th>
  )
}

function ActionBar({ actions, count, cells, next, previous }: ListFacts): Child {
  const beyond = next !== undefined || previous !== undefined
  return (
    <div class="actions" role="group" aria-label="Actions on selected rows" data-actions>
      <span class="ticked only-script">
        <strong data-ticked>0</strong> selected
      </span>
      {beyond && (
        <label class="check all-pages">
          <input type="checkbox" name="all" value="1" data-all-pages />
          <span>All {showTotal(count)} that match</span>
        </label>
      )}
      <input type="hidden" name="shown" value={String(cells.length)} />
      <span class="action-buttons">
        {actions.map(action => (
          <button class={action.danger ? "button small danger" : "button small"} type="submit" name="action" value={action.name}>
            {action.name === "delete" && <Icon name="trash" size={15} />}
            {action.label}
          </button>
        ))}
      </span>
    </div>
  )
}

function Paging({ request, modelAdmin, state, count, next, previous }: ListFacts): Child {
  const base = request.site.to(modelAdmin)
  const link = (o: { label: string; cursor: Partial<ListState> | undefined; key: string; icon: "left" | "right" }) => {
    const content = o.icon === "left" ? [<Icon name="left" size={16} />, o.label] : [o.label, <Icon name="right" size={16} />]
    if (o.cursor === undefined) return <span class="button small off">{content}</span>
    return (
      <a class="button small" href={base + stateQuery(state, o.cursor)} hx-boost="true" hx-swap="outerHTML show:#content:top" data-key={o.key}>
        {content}
      </a>
    )
  }
  return (
    <nav class="paging" aria-label="Pages">
      <span class="total">
        <strong>{showTotal(count)}</strong> {nounFor(modelAdmin, count)}
      </span>
      {(next !== undefined || previous !== undefined) && (
        <span class="pages">
          {link({ label: "Previous", cursor: previous === undefined ? undefined : { before: previous, after: undefined }, key: "[", icon: "left" })}
          {link({ label: "Next", cursor: next === undefined ? undefined : { after: next, before: undefined }, key: "]", icon: "right" })}
        </span>
      )}
    </nav>
  )
}

function Empty({ request, modelAdmin, state }: ListFacts): Child {
  const narrowed = isNarrowed(state)
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={narrowed ? "search" : modelAdmin.icon} size={28} />
      </span>
      <h2>{narrowed ? `No ${modelAdmin.labelPlural.toLowerCase()} match` : `No ${modelAdmin.labelPlural.toLowerCase()} yet`}</h2>
      <p>{narrowed ? "Try other words, or take a filter off." : `The first ${modelAdmin.label.toLowerCase()} will show up here.`}</p>
      {narrowed && (
        <a class="button" href={request.site.to(modelAdmin)}>
          Show all
        </a>
      )}
    </div>
  )
}
