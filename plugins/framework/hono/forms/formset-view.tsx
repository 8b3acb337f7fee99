import { ADD_BUTTON } from "./bound-form.ts"
import type { BoundFormset, FormsetRow } from "./formset.ts"
import { FieldView } from "./field-view.tsx"
import { say } from "./messages.ts"

type SetProps = { formset: BoundFormset }

/** Its rows, and a button for one more; without scripts the button sends the form, and it comes back with the row. */
export function FormsetView({ formset }: SetProps) {
  const { prefix, label, max = 100 } = formset.options
  return (
    <section class="formset" data-formset={prefix} aria-label={label}>
      {label !== undefined && <h2>{label}</h2>}
      <input type="hidden" name={formset.totalName} value={formset.rows.length} autocomplete="off" />
      {formset.errors.length > 0 && (
        <div class="form-errors" role="alert">
          {formset.errors.map(error => (
            <p>{error}</p>
          ))}
        </div>
      )}
      {formset.rows.map((row, i) => (
        <FormsetRowView formset={formset} row={row} number={i + 1} />
      ))}
      <template data-formset-row={prefix}>
        <FormsetRowView formset={formset} row={formset.template} number={0} />
      </template>
      {formset.rows.length < max && (
        <button type="submit" name={ADD_BUTTON} value={prefix} class="formset-add" formnovalidate>
          {say(formset.lang, "add")}
        </button>
      )}
    </section>
  )
}

/** A row that may stay empty demands nothing of the browser: only what is typed into it is checked, by the server. */
export function FormsetRowView({ formset, row, number }: SetProps & { row: FormsetRow<any>; number: number }) {
  const form = row.form as FormsetRow<BoundFormset["rows"][number]["form"]>["form"]
  const mayBeEmpty = row.id === undefined
  const name = `${formset.options.label ?? formset.options.prefix} ${number === 0 ? "" : number}`.trim()
  return (
    <div class="formset-row" role="group" aria-label={name} data-deleted={row.deleted ? "" : undefined}>
      {row.id !== undefined && <input type="hidden" name={row.names.id} value={row.id} />}
      {form.fields.map(field => (
        <FieldView field={mayBeEmpty ? field.relaxed() : field} />
      ))}
      {formset.canOrder && (
        <div class="field" data-widget="number">
          <label for={`f-${row.names.order}`}>{say(formset.lang, "order")}</label>
          <input type="number" step="any" id={`f-${row.names.order}`} name={row.names.order} value={number === 0 ? "" : row.order} />
        </div>
      )}
      {formset.canDelete && (
        <label class="field-tick formset-remove">
          <input type="checkbox" name={row.names.del} value="on" checked={row.deleted} />
          <span>{say(formset.lang, "remove")}</span>
        </label>
      )}
    </div>
  )
}
