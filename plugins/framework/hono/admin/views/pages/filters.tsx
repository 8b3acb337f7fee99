import type { Child } from "hono/jsx"
import type { ModelAdmin } from "../../model/model-admin.ts"
import type { Drill, Facet } from "../facets.ts"
import type { ListState } from "../../data/listing.ts"
import type { AdminRequest } from "../request.tsx"
import { Icon } from "./icons.tsx"
import { Kept } from "./kept.tsx"

interface FilterFacts {
  readonly request: AdminRequest
  readonly modelAdmin: ModelAdmin
  readonly state: ListState
  readonly facets: readonly Facet[]
}

/** One menu a filter; it opens without a script, and each option is a link. */
export function Filters(facts: FilterFacts): Child {
  const shown = facts.facets.filter(facet => facet.options.length > 0 || facet.typed !== undefined)
  if (shown.length === 0) return <div id="filters" hidden />
  return (
    <div class="filters" id="filters" hx-boost="true" hx-target="#results" hx-select="#results" hx-swap="outerHTML show:none" role="group" aria-label="Filters">
      {shown.map(facet => (
        <Menu facts={facts} facet={facet} />
      ))}
    </div>
  )
}

function Menu({ facts, facet }: { facts: FilterFacts; facet: Facet }): Child {
  const { request, modelAdmin } = facts
  const base = request.site.to(modelAdmin)
  const on = facet.chosen.length > 0
  return (
    <details class="drop" name="filter" id={`filter-${facet.key}`}>
      <summary class={on ? "filter on" : "filter"}>
        {facet.label}
        {on && <span class="filter-count">{facet.chosen.length}</span>}
        <Icon name="down" size={14} />
      </summary>
      <div class="drop-body">
        {facet.typed === "relation" && <RelationSearch facts={facts} facet={facet} />}
        {facet.typed === "range" && <Range facts={facts} facet={facet} />}
        {facet.options.map(option => (
          <a class="drop-item" href={base + option.href} aria-current={option.active ? "true" : undefined}>
            <span class="drop-mark">{option.active && <Icon name="check" size={15} />}</span>
            <span class="drop-label">{option.label}</span>
            {option.count !== undefined && <span class="count">{option.count}</span>}
          </a>
        ))}
        {on && (
          <a class="drop-item drop-clear" href={base + facet.clear}>
            Any
          </a>
        )}
      </div>
    </details>
  )
}

/** A relation with many rows: found by typing; without a script the page of choices does the same. */
function RelationSearch({ facts, facet }: { facts: FilterFacts; facet: Facet }): Child {
  const { request, modelAdmin, state } = facts
  return (
    <form class="drop-form" method="get" action={request.site.to(modelAdmin, "choices", facet.key)} hx-boost="false" data-filter-search>
      <Kept state={state} search />
      <input type="search" name="find" placeholder={`Find ${facet.label.toLowerCase()}`} aria-label={`Find ${facet.label.toLowerCase()}`} autocomplete="off" />
      <button class="button small" type="submit">
        Find
      </button>
    </form>
  )
}

function Range({ facts, facet }: { facts: FilterFacts; facet: Facet }): Child {
  const { request, modelAdmin, state } = facts
  const [from = "", to = ""] = (state.filters.get(facet.key)?.[0] ?? "").split("..")
  return (
    <form class="drop-form" method="get" action={request.site.to(modelAdmin)} hx-boost="false">
      <Kept state={state} search />
      <input type="hidden" name="set" value={facet.key} />
      <input type="number" step="any" name="from" value={from} placeholder="From" aria-label={`${facet.label} from`} />
      <input type="number" step="any" name="to" value={to} placeholder="To" aria-label={`${facet.label} to`} />
      <button class="button small" type="submit">
        Apply
      </button>
    </form>
  )
}

export function DrillBar({ drill, base }: { drill: Drill; base: string }): Child {
  return (
    <nav class="drill" aria-label={`By ${drill.label.toLowerCase()}`}>
      <span class="drill-label">
        <Icon name="calendar" size={15} />
        {drill.label}
      </span>
      {drill.up.map(step => (
        <a href={base + step.href}>{step.label}</a>
      ))}
      {drill.here !== undefined && <span aria-current="true">{drill.here}</span>}
      {drill.below.length > 0 && drill.here !== undefined && <span class="drill-gap" aria-hidden="true" />}
      {drill.below.map(step => (
        <a href={base + step.href}>{step.label}</a>
      ))}
    </nav>
  )
}
