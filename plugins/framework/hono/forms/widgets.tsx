import { files } from "../files/storage.ts"
import type { BoundField } from "./bound-field.ts"
import { FIND_BUTTON } from "./bound-form.ts"
import { CLEAR } from "./decode.ts"
import type { Choice, Widget } from "./field.ts"
import { describedBy } from "./described-by.ts"

type Props = { field: BoundField }

/** `type` of the input elements that differ in nothing else. */
const INPUT_TYPES: Partial<Record<Widget, string>> = { datetime: "datetime-local", autocomplete: "text", markdown: "text" }

/** Width in pixels of a picture that a field has; twice what is shown, for fine screens. */
const PREVIEW_WIDTH = 320

/** The input alone. */
export function FieldInput({ field }: Props) {
  switch (field.widget) {
    case "textarea":
    case "markdown":
      return <TextArea field={field} />
    case "checkbox":
      return <input type="checkbox" {...common(field)} value="on" checked={field.values.length > 0} />
    case "select":
    case "multiselect":
    case "autocomplete":
      return <Select field={field} />
    case "radio":
    case "checkboxes":
      return <Ticks field={field} />
    case "file":
    case "image":
      return <FileInput field={field} />
    case "hidden":
      return <input type="hidden" name={field.name} id={field.id} value={field.value} />
    default:
      return <Input field={field} />
  }
}

/** What every input has. */
function common(field: BoundField) {
  const { settings } = field.field
  return {
    id: field.id,
    name: field.name,
    required: field.demanded || undefined,
    autocomplete: settings.autocomplete,
    "aria-describedby": describedBy(field),
    "aria-invalid": field.error === undefined ? undefined : "true",
    ...settings.attributes,
  } as const
}

function Input({ field }: Props) {
  const { limits, settings } = field.field
  // A password that was refused is not sent back over the wire.
  const value = field.widget === "password" ? undefined : field.value
  return (
    <input
      type={INPUT_TYPES[field.widget] ?? field.widget}
      {...common(field)}
      value={value}
      placeholder={settings.placeholder}
      min={limits.min}
      max={limits.max}
      step={limits.step ?? (field.widget === "datetime" || field.widget === "time" ? "any" : undefined)}
      minlength={limits.minLength}
      maxlength={limits.maxLength}
    />
  )
}

function TextArea({ field }: Props) {
  const { limits, settings } = field.field
  const markdown = field.widget === "markdown"
  return (
    <textarea
      {...common(field)}
      rows={settings.rows ?? (markdown ? 12 : 5)}
      placeholder={settings.placeholder}
      minlength={limits.minLength}
      maxlength={limits.maxLength}
      {...(markdown && { "data-markdown": "", spellcheck: true })}
    >
      {/* The parser drops one line break at the start. */}
      {field.value.startsWith("\n") ? `\n${field.value}` : field.value}
    </textarea>
  )
}

async function Select({ field }: Props) {
  const many = field.field.kind === "choices" || field.field.kind === "relations"
  const { choices, chosen, more } = field.field.kind === "maybe" ? { choices: yesNo(field), chosen: field.values, more: false } : await field.choices()
  const search = more || field.widget === "autocomplete"
  const select = (
    <select
      {...common(field)}
      {...(field.isGroup && { id: `${field.id}-list`, "aria-label": field.label })}
      multiple={many || undefined}
      size={many ? Math.min(Math.max(choices.length, 4), 10) : undefined}
      {...(field.widget === "autocomplete" && { "data-autocomplete": field.field.settings.url ?? "" })}
    >
      {!many && field.field.settled !== true && <option value="">{field.required ? "" : `— ${field.say("nothing")} —`}</option>}
      {choices.map(choice => (
        <option value={choice.value} selected={chosen.includes(choice.value) || undefined}>
          {choice.label}
        </option>
      ))}
    </select>
  )
  return search && field.field.target !== undefined ? (
    <>
      {select}
      <Find field={field} />
    </>
  ) : (
    select
  )
}

function yesNo(field: BoundField): Choice[] {
  return [
    { value: "true", label: field.say("yes") },
    { value: "false", label: field.say("no") },
  ]
}

/** More rows than are shown: the button sends the form, and it comes back with those that match, nothing else changed. */
function Find({ field }: Props) {
  const hint = `${field.id}-more`
  return (
    <div class="field-find">
      <input type="search" name={field.findName} value={field.find} aria-label={field.say("findLabel", { label: field.label })} aria-describedby={hint} />
      <button type="submit" name={FIND_BUTTON} value={field.name} formnovalidate>
        {field.say("find")}
      </button>
      <p class="field-help" id={hint}>
        {field.say("more")}
      </p>
    </div>
  )
}

/** From here on a list of boxes is too long to look through. */
const MOST_TICKS = 24

async function Ticks({ field }: Props) {
  const { choices, chosen, more } = await field.choices()
  if (field.widget === "checkboxes" && (more || choices.length > MOST_TICKS)) return <Select field={field} />
  const type = field.widget === "radio" ? "radio" : "checkbox"
  // A required group of radio buttons says so on each; of checkboxes no browser knows "at least one".
  const required = type === "radio" && field.demanded ? true : undefined
  return (
    <div class="field-choices">
      {choices.map((choice, i) => (
        <label class="field-tick">
          <input type={type} id={`${field.id}-${i}`} name={field.name} value={choice.value} checked={chosen.includes(choice.value)} required={required} />
          <span>{choice.label}</span>
        </label>
      ))}
    </div>
  )
}

function FileInput({ field }: Props) {
  const { accept = [], maxFiles = 1 } = field.field.file ?? {}
  const { current } = field
  const { required, ...rest } = common(field)
  return (
    <div class="field-file">
      {current !== null && <Current field={field} current={current} />}
      <input type="file" {...rest} required={current === null ? required : undefined} accept={accept.length > 0 ? accept.join(",") : undefined} multiple={maxFiles > 1 || undefined} />
    </div>
  )
}

function Current({ field, current }: Props & { current: string }) {
  const name = current.slice(current.lastIndexOf("/") + 1)
  return (
    <div class="field-current">
      {field.field.file?.image === true ? (
        <a href={files().url(current)}>
          <img src={files().url(current, { width: PREVIEW_WIDTH })} alt={`${field.say("current")} ${name}`} loading="lazy" />
        </a>
      ) : (
        <span>
          {field.say("current")} <a href={files().url(current)}>{name}</a>
        </span>
      )}
      {!field.required && (
        <label class="field-tick">
          <input type="checkbox" name={field.name + CLEAR} value="on" />
          <span>{field.say("clear")}</span>
        </label>
      )}
    </div>
  )
}
