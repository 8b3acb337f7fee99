import type { Child } from "hono/jsx"
import { CsrfField } from "../../../app/elements.tsx"
import { type DeletionPlan, isPossible, type Touched } from "../../data/deletion.ts"
import type { ModelAdmin } from "../../model/model-admin.ts"
import { cutText } from "../../data/values.ts"
import type { AdminRequest } from "../request.tsx"
import { Icon } from "./icons.tsx"

interface DeleteFacts {
  readonly request: AdminRequest
  readonly modelAdmin: ModelAdmin
  /** The first of what is to be deleted. */
  readonly titles: readonly string[]
  readonly count?: string
  readonly plan: DeletionPlan
  readonly action: string
  readonly back: string
  /** Hidden fields of the form beside the token. */
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/** Asks before a deletion, and says what it takes along. */
export function DeletePage(facts: DeleteFacts): Child {
  const { modelAdmin, titles, plan, action, back, fields, count } = facts
  const possible = isPossible(plan)
  const nothing = plan.along.length === 0 && plan.unlinked.length === 0
  const many = titles.length > 1
  return (
    <div class="card narrow ask">
      {possible ? (
        <p class="ask-lead">
          {many ? `These ${count ?? titles.length} ${modelAdmin.labelPlural.toLowerCase()} will be gone for good:` : `This ${modelAdmin.label.toLowerCase()} will be gone for good:`}
        </p>
      ) : (
        <p class="notice notice-error">
          <Icon name="lock" />
          <span>{many ? "These cannot be deleted as they are." : "This cannot be deleted as it is."}</span>
        </p>
      )}
      <ul class="ask-rows">
        {titles.map(title => (
          <li>{cutText(title, 120)}</li>
        ))}
        {count !== undefined && many && <li class="hint">{`${count} in all`}</li>}
      </ul>
      {plan.blocked.length > 0 && <TouchedRows facts={facts} title="Still needed by" hint="Delete these first, or let them refer to something else." rows={plan.blocked} tone="error" />}
      {plan.forbidden.length > 0 && (
        <p class="notice notice-error">
          <Icon name="lock" />
          <span>It would take along {plan.forbidden.map(model => model.labelPlural.toLowerCase()).join(", ")}, which you may not delete.</span>
        </p>
      )}
      {plan.along.length > 0 && <TouchedRows facts={facts} title="Deleted along with it" rows={plan.along} tone="warning" />}
      {plan.unlinked.length > 0 && <TouchedRows facts={facts} title="Stays, without the link to it" rows={plan.unlinked} tone="info" />}
      {possible && nothing && <p class="hint">Nothing else goes with it.</p>}
      <form method="post" action={action} class="ask-buttons">
        <CsrfField />
        {fields.map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        {possible && (
          <button class="button primary danger" type="submit">
            <Icon name="trash" />
            {many ? "Delete them" : "Delete"}
          </button>
        )}
        <a class="button" href={back}>
          {possible ? "Keep" : "Back"}
        </a>
      </form>
    </div>
  )
}

function TouchedRows({ facts, title, hint, rows, tone }: { facts: DeleteFacts; title: string; hint?: string; rows: readonly Touched[]; tone: string }): Child {
  const { request } = facts
  return (
    <section class={`touched touched-${tone}`}>
      <h2>{title}</h2>
      {hint !== undefined && <p class="hint">{hint}</p>}
      {rows.map(({ model, count, more, sample }) => {
        const modelAdmin = request.site.of(model)
        const internal = model.options.internal === true
        return (
          <details open={rows.length === 1}>
            <summary>
              <strong>{`${count.toLocaleString("en-GB")}${more ? "+" : ""}`}</strong> {internal ? "other rows" : (count === 1 ? model.label : model.labelPlural).toLowerCase()}
            </summary>
            {sample.length > 0 && (
              <ul>
                {sample.map(({ id, title: name }) => (
                  <li>{modelAdmin?.listed !== true ? cutText(name, 100) : <a href={request.site.to(modelAdmin, id)}>{cutText(name, 100)}</a>}</li>
                ))}
                {count > sample.length && <li class="hint">{`and ${(count - sample.length).toLocaleString("en-GB")}${more ? "+" : ""} more`}</li>}
              </ul>
            )}
          </details>
        )
      })}
    </section>
  )
}
