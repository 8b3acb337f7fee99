import type { Child } from "hono/jsx"
import type { ModelAdmin } from "../../model/model-admin.ts"
import type { ListState } from "../../data/listing.ts"
import { cutText } from "../../data/values.ts"
import type { AdminRequest } from "../request.tsx"
import { Kept } from "./kept.tsx"

interface ChoicesFacts {
  readonly request: AdminRequest
  readonly modelAdmin: ModelAdmin
  readonly field: string
  readonly state: ListState
  readonly find: string
  readonly options: readonly { readonly title: string; readonly href: string }[]
  readonly more: boolean
}

/** A relation with many rows as a filter, without a script: a word, and those that match. */
export function ChoicesPage({ request, modelAdmin, field, state, find, options, more }: ChoicesFacts): Child {
  const label = modelAdmin.labelOf(field)
  return (
    <div class="card narrow">
      <form class="find-form" method="get" action={request.site.to(modelAdmin, "choices", field)}>
        <Kept state={state} search />
        <input type="search" name="find" value={find} aria-label={`Find ${label.toLowerCase()}`} />
        <button class="button" type="submit">
          Find
        </button>
      </form>
      {options.length === 0 ? (
        <p class="hint">Nothing matches.</p>
      ) : (
        <ul class="choices">
          {options.map(option => (
            <li>
              <a href={option.href}>{cutText(option.title, 100)}</a>
            </li>
          ))}
        </ul>
      )}
      {more && <p class="hint">There are more: add a word.</p>}
    </div>
  )
}
