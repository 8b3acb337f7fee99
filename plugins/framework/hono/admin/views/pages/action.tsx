import type { Child } from "hono/jsx"
import { CsrfField } from "../../../app/elements.tsx"
import type { OfferedAction } from "../actions.ts"
import type { ModelAdmin } from "../../model/model-admin.ts"
import { cutText } from "../../data/values.ts"

interface ActionFacts {
  readonly modelAdmin: ModelAdmin
  readonly action: OfferedAction
  readonly titles: readonly string[]
  readonly count: string
  readonly url: string
  readonly back: string
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/** Asks before an action runs. */
export function ActionPage({ modelAdmin, action, titles, count, url, back, fields }: ActionFacts): Child {
  return (
    <div class="card narrow ask">
      <p class="ask-lead">{typeof action.confirm === "string" ? action.confirm : `“${action.label}” is done to ${count === "1" ? `this ${modelAdmin.label.toLowerCase()}` : `these ${count} ${modelAdmin.labelPlural.toLowerCase()}`}:`}</p>
      <ul class="ask-rows">
        {titles.map(title => (
          <li>{cutText(title, 120)}</li>
        ))}
        {count !== String(titles.length) && <li class="hint">{`${count} in all`}</li>}
      </ul>
      <form method="post" action={url} class="ask-buttons">
        <CsrfField />
        {fields.map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <button class={action.danger ? "button primary danger" : "button primary"} type="submit">
          {action.label}
        </button>
        <a class="button" href={back}>
          Cancel
        </a>
      </form>
    </div>
  )
}
