import type { Child } from "hono/jsx"
import type { BoundFormset } from "../../../forms/formset.ts"
import { FormsetRowView } from "../../../forms/formset-view.tsx"
import { FieldView } from "../../../forms/field-view.tsx"
import { ADD_BUTTON } from "../../../forms/bound-form.ts"
import { ErrorSummary, FormToken } from "../../../forms/view.tsx"
import type { Conflict, Filled } from "../form.tsx"
import type { InlineEditor } from "../editor.ts"
import type { Related } from "../../data/related.ts"
import type { Fieldset } from "../../model/settings.ts"
import type { AdminRequest } from "../request.tsx"
import { FixedRows } from "./fixed-rows.tsx"
import { ReadonlyField } from "./readonly.tsx"
import { Icon } from "./icons.tsx"

interface FormFacts {
  readonly request: AdminRequest
  readonly filled: Filled
  readonly related: Related
  readonly inlineRelated: readonly Related[]
  readonly version: string
  readonly conflict: Conflict | undefined
  readonly mayAdd: boolean
}

/** The form of one row: fieldsets in the middle and beside, inlines below, the buttons always in reach. */
export function FormPage(facts: FormFacts): Child {
  const { filled, version, conflict } = facts
  const { editor, bound, sets } = filled
  const open = editor.writable.length > 0 || sets.some(({ set }) => set !== undefined)
  const files = bound.hasFiles || sets.some(({ set }) => set?.hasFiles === true)
  const beside = editor.modelAdmin.fieldsets.filter(fieldset => fieldset.side === true)
  const middle = editor.modelAdmin.fieldsets.filter(fieldset => fieldset.side !== true)
  const content = (
    <>
      {conflict !== undefined && <ConflictNotice facts={facts} conflict={conflict} />}
      <ErrorSummary form={bound} />
      <div class={beside.length > 0 ? "form-columns" : "form-columns single"}>
        <div class="form-main">
          {middle.map(fieldset => (
            <FieldsetCard facts={facts} fieldset={fieldset} />
          ))}
          {sets.map(({ inline, set }, i) => (
            <InlineCard facts={facts} inline={inline} set={set} related={facts.inlineRelated[i]!} />
          ))}
        </div>
        {beside.length > 0 && (
          <div class="form-side">
            {beside.map(fieldset => (
              <FieldsetCard facts={facts} fieldset={fieldset} />
            ))}
          </div>
        )}
      </div>
      {open && <SaveBar {...facts} />}
    </>
  )
  if (!open) {
    return (
      <div class="form">
        <p class="notice">
          <Icon name="lock" />
          <span>You may look at this, and not change it.</span>
        </p>
        {content}
      </div>
    )
  }
  return (
    <form class="form" method="post" enctype={files ? "multipart/form-data" : undefined} data-guard novalidate>
      <FormToken form={bound} />
      <input type="hidden" name="_version" value={version} autocomplete="off" />
      {/* Enter in a field presses the first button of a form: it must be Save, not "Find" or "Add". */}
      <button class="visually-hidden" type="submit" name="_save" value="1" tabindex={-1} aria-hidden="true">
        Save
      </button>
      {content}
    </form>
  )
}

function FieldsetCard({ facts, fieldset }: { facts: FormFacts; fieldset: Fieldset<any> }): Child {
  const { editor, bound } = facts.filled
  const shown = fieldset.fields.filter(key => editor.writable.includes(key) || (editor.readable.includes(key) && editor.row !== undefined))
  if (shown.length === 0) return <></>
  const failed = shown.some(key => bound.errors[key] !== undefined)
  const fields = (
    <div class="fields">
      {shown.map(key => (editor.writable.includes(key) ? <FieldView field={bound.field(key)} /> : <ReadonlyField request={facts.request} modelAdmin={editor.modelAdmin} field={key} row={editor.row!} related={facts.related} />))}
    </div>
  )
  const help = fieldset.help === undefined ? <></> : <p class="hint">{fieldset.help}</p>
  if (fieldset.closed === true) {
    return (
      <details class="card fieldset" open={failed}>
        <summary>{fieldset.title ?? "More"}</summary>
        {help}
        {fields}
      </details>
    )
  }
  return (
    <section class="card fieldset">
      {fieldset.title !== undefined && <h2>{fieldset.title}</h2>}
      {help}
      {fields}
    </section>
  )
}

function InlineCard({ facts, inline, set, related }: { facts: FormFacts; inline: InlineEditor; set: BoundFormset<any> | undefined; related: Related }): Child {
  const { request, filled } = facts
  const { label, field } = inline.inline
  const title = `inline-${inline.inline.model.name}`
  const all = `${request.site.to(inline.modelAdmin)}?f.${field}=${filled.editor.row?.id ?? ""}`
  return (
    <section class="card inline" aria-labelledby={title} data-formset={set?.options.prefix}>
      <div class="inline-head">
        <h2 id={title}>{label}</h2>
        {inline.more && inline.modelAdmin.listed && inline.modelAdmin.filters.includes(field) && <a href={all}>Show all</a>}
      </div>
      {inline.fixed.length > 0 && <FixedRows request={request} inline={inline} related={related} />}
      {inline.more && <p class="hint">There are more than are shown here.</p>}
      {set !== undefined && (
        <>
          <input type="hidden" name={set.totalName} value={String(set.rows.length)} autocomplete="off" />
          {set.errors.length > 0 && (
            <div class="form-errors" role="alert">
              {set.errors.map(error => (
                <p>{error}</p>
              ))}
            </div>
          )}
          {set.rows.map((row, i) => (
            <FormsetRowView formset={set} row={row} number={i + 1} />
          ))}
          {inline.mayAdd && (
            <>
              <template data-formset-row={set.options.prefix}>
                <FormsetRowView formset={set} row={set.template} number={0} />
              </template>
              <button type="submit" name={ADD_BUTTON} value={set.options.prefix} class="button small formset-add" formnovalidate>
                <Icon name="plus" size={15} />
                Add {inline.inline.model.label.toLowerCase()}
              </button>
            </>
          )}
        </>
      )}
      {set === undefined && inline.fixed.length === 0 && <p class="hint">None.</p>}
    </section>
  )
}

function SaveBar({ request, filled, mayAdd }: FormFacts): Child {
  const { modelAdmin, row } = filled.editor
  return (
    <div class="save-bar">
      <span class="unsaved only-script" hidden data-unsaved>
        <span class="dot" aria-hidden="true" />
        Not saved yet
      </span>
      <a class="button" href={request.site.to(modelAdmin)}>
        Cancel
      </a>
      {mayAdd && (
        <button class="button wide-only" type="submit" name="_another" value="1" data-key="mod+enter">
          Save and add another
        </button>
      )}
      <button class="button" type="submit" name="_continue" value="1">
        Save and continue
      </button>
      <button class="button primary" type="submit" name="_save" value="1" data-key="mod+s">
        {row === undefined ? "Add" : "Save"}
      </button>
    </div>
  )
}

/** What is shown is what this person typed; saving again, now knowingly, replaces what the other one did. */
function ConflictNotice({ facts, conflict }: { facts: FormFacts; conflict: Conflict }): Child {
  const { request, filled } = facts
  const { editor } = filled
  return (
    <div class="notice notice-warning conflict" role="alert">
      <Icon name="warning" />
      <div>
        <p>
          <strong>{conflict.by ?? "Somebody"} changed this while you were editing.</strong> Nothing of yours was saved yet. Below is what you typed; saving again replaces what is there now{conflict.fields.length > 0 ? ":" : "."}
        </p>
        {conflict.fields.length > 0 && (
          <div class="changes">
            {conflict.fields.map(key => (
              <ReadonlyField request={request} modelAdmin={editor.modelAdmin} field={key} row={editor.row!} related={facts.related} prefix="Now: " />
            ))}
          </div>
        )}
        <a href={request.c.req.path}>Drop mine and show what is there now</a>
      </div>
    </div>
  )
}
