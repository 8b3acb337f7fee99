import type { Child } from "hono/jsx"
import type { BoundField } from "./bound-field.ts"
import { describedBy } from "./described-by.ts"
import { FieldInput } from "./widgets.tsx"

type FieldProps = { field: BoundField }

/** A field with all its pieces, or as its `render` draws it. */
export function FieldView({ field }: FieldProps): Child {
  const { render } = field.field.settings
  if (render !== undefined) return render(field)
  if (field.widget === "hidden") return <FieldInput field={field} />
  const kind = { class: "field", "data-widget": field.widget, ...(field.error !== undefined && { "data-error": "" }) }
  if (field.isGroup) {
    return (
      <fieldset {...kind} id={field.id} tabindex={-1} aria-describedby={describedBy(field)} aria-invalid={field.error === undefined ? undefined : "true"}>
        <legend>
          {field.label}
          <Optional field={field} />
        </legend>
        <FieldHelp field={field} />
        <FieldInput field={field} />
        <FieldError field={field} />
      </fieldset>
    )
  }
  const tick = field.widget === "checkbox"
  return (
    <div {...kind}>
      {tick ? (
        <div class="field-tick">
          <FieldInput field={field} />
          <FieldLabel field={field} />
        </div>
      ) : (
        <FieldLabel field={field} />
      )}
      <FieldHelp field={field} />
      {!tick && <FieldInput field={field} />}
      <FieldError field={field} />
    </div>
  )
}

export function FieldLabel({ field }: FieldProps) {
  return (
    <label for={field.id}>
      {field.label}
      <Optional field={field} />
    </label>
  )
}

/** Most fields are needed: what need not be filled in says so. */
function Optional({ field }: FieldProps) {
  if (field.required || field.field.settled === true || field.widget === "checkbox") return null
  return <span class="field-optional"> ({field.say("optional")})</span>
}

export function FieldHelp({ field }: FieldProps) {
  return field.help === undefined ? null : (
    <p class="field-help" id={field.helpId}>
      {field.help}
    </p>
  )
}

export function FieldError({ field }: FieldProps) {
  return field.error === undefined ? null : (
    <p class="field-error" id={field.errorId}>
      {field.error}
    </p>
  )
}
