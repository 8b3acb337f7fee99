import type { Child } from "hono/jsx"
import type { BoundForm } from "./bound-form.ts"
import { FieldView } from "./field-view.tsx"
import type { BoundFormset } from "./formset.ts"
import { FormsetView } from "./formset-view.tsx"

type FormProps = {
  form: BoundForm
  /** Other rows that are sent with it. */
  formsets?: readonly BoundFormset[]
  /** Default: the page's own address. */
  action?: string
  method?: "post" | "get"
  /** Words of the button, "Save" in the reader's language by default; null for none. */
  submit?: Child
  /** Instead of all fields, one after the other. */
  children?: Child
  id?: string
  class?: string
  /** Leaves the browser's own checks out: every error comes from the server, in place. */
  novalidate?: boolean
  /** Further attributes of the form: `{ "hx-post": "/x" }`. */
  attributes?: Readonly<Record<string, string | number | boolean>>
}

/** A whole form: token, what is wrong, the fields, the button. */
export function FormView({ form, formsets = [], action, method = "post", submit, children, novalidate, attributes, ...rest }: FormProps) {
  const files = form.hasFiles || formsets.some(formset => formset.hasFiles)
  return (
    <form
      method={method}
      action={action}
      enctype={files && method === "post" ? "multipart/form-data" : undefined}
      novalidate={novalidate}
      id={rest.id}
      class={rest.class ?? "edge-form"}
      {...attributes}
    >
      {method === "post" && <FormToken form={form} />}
      <ErrorSummary form={form} />
      {children ?? <FormFields form={form} />}
      {formsets.map(formset => (
        <FormsetView formset={formset} />
      ))}
      {submit !== null && (
        <div class="form-actions">
          <button type="submit">{submit ?? form.say("save")}</button>
        </div>
      )}
    </form>
  )
}

export function FormFields({ form }: { form: BoundForm }) {
  return (
    <>
      {form.fields.map(field => (
        <FieldView field={field} />
      ))}
    </>
  )
}

/** The app's token against forgery. It is the form's first field: then it is found before an upload is read. */
export function FormToken({ form }: { form: BoundForm }) {
  const csrf: unknown = form.binding.c?.get("csrf")
  const token = typeof csrf === "object" && csrf !== null ? (csrf as { token?: unknown }).token : csrf
  // A browser that restores a page must not bring an old token back (autocomplete).
  return typeof token === "string" ? <input type="hidden" name="_csrf" value={token} autocomplete="off" /> : null
}

/** Every error with a link to its field, told by screen readers when the page comes. */
export function ErrorSummary({ form }: { form: BoundForm }) {
  const errors = Object.entries(form.errors)
  if (errors.length === 0) return null
  const id = `f-${form.binding.prefix}errors`
  const byKey = new Map(form.fields.map(field => [field.key, field]))
  return (
    <div class="form-errors" role="alert" id={id}>
      <p>{byKey.size > 0 && errors.some(([key]) => key !== "") ? form.say("summary") : null}</p>
      <ul>
        {errors.map(([key, message]) => {
          const field = byKey.get(key)
          if (field === undefined) return <li>{message}</li>
          return (
            <li>
              <a href={`#${field.id}`}>{field.label}</a>: {message}
            </li>
          )
        })}
      </ul>
    </div>
  )
}
