import type { Child } from "hono/jsx"
import type { Field } from "../../../db/field.ts"
import type { ModelAdmin } from "../../model/model-admin.ts"
import { diffWords } from "../../history/diff.ts"
import type { ChangeKind, ChangeRow, FieldChange } from "../../history/change.ts"
import type { ShownChange } from "../history.tsx"
import { showAgo, showDatetime } from "../../data/datetimes.ts"
import { showValue } from "../../data/values.ts"
import type { AdminRequest } from "../request.tsx"
import { NOTHING } from "./cells.tsx"
import { type Glyph, Icon } from "./icons.tsx"

export const CHANGE_ICONS: Readonly<Record<ChangeKind, Glyph>> = { add: "plus", change: "pencil", delete: "trash", action: "bolt" }
const WORDS: Readonly<Record<ChangeKind, string>> = { add: "added it", change: "changed it", delete: "deleted it", action: "" }

interface HistoryFacts {
  readonly request: AdminRequest
  readonly modelAdmin: ModelAdmin
  readonly shown: readonly ShownChange[]
  readonly names: ReadonlyMap<string, ReadonlyMap<number, string>>
  readonly next: string | undefined
  readonly previous: string | undefined
}

/** The history of one row. */
export function HistoryPage(facts: HistoryFacts): Child {
  const { shown, next, previous } = facts
  if (shown.length === 0) {
    return (
      <div class="empty">
        <span class="empty-icon">
          <Icon name="clock" size={28} />
        </span>
        <h2>Nothing here yet</h2>
        <p>Changes that are made in the admin are kept from now on.</p>
      </div>
    )
  }
  return (
    <div class="narrow">
      <ol class="timeline">
        {shown.map(item => (
          <ChangeItem facts={facts} shown={item} />
        ))}
      </ol>
      {(next !== undefined || previous !== undefined) && (
        <nav class="paging" aria-label="Pages">
          {previous !== undefined && (
            <a class="button small" href={`?before=${previous}`}>
              Newer
            </a>
          )}
          {next !== undefined && (
            <a class="button small" href={`?after=${next}`}>
              Older
            </a>
          )}
        </nav>
      )}
    </div>
  )
}

function ChangeItem({ facts, shown }: { facts: HistoryFacts; shown: ShownChange }): Child {
  const { change, fields, others } = shown
  return (
    <li class="entry card">
      <span class={`entry-icon kind-${change.kind}`}>
        <Icon name={CHANGE_ICONS[change.kind]} size={15} />
      </span>
      <div class="entry-body">
        <h2 class="entry-head">
          <strong>{change.userName}</strong> {sentence(change)}{" "}
          <time datetime={change.at.toISOString()} title={showDatetime(change.at, facts.request.zone)}>
            {showAgo(change.at, facts.request.zone)}
          </time>
        </h2>
        {fields.length > 0 && (
          <dl class="changes">
            {fields.map(field => (
              <div>
                <dt>{facts.modelAdmin.labelOf(field.key)}</dt>
                <dd>
                  <FieldDiff facts={facts} change={field} isNew={change.kind === "add"} />
                </dd>
              </div>
            ))}
          </dl>
        )}
        {others > 0 && <p class="hint">{others === 1 ? "Another field" : `${others} other fields`}, which you may not see.</p>}
      </div>
    </li>
  )
}

export function sentence(change: ChangeRow): string {
  if (change.kind === "action") return `ran “${change.note}”`
  return change.note === "" ? WORDS[change.kind] : `${WORDS[change.kind]} ${change.note}`
}

function FieldDiff({ facts, change, isNew }: { facts: HistoryFacts; change: FieldChange; isNew: boolean }): Child {
  const field = facts.modelAdmin.field(change.key)
  const [from, to] = [textOf(facts, change.key, change.from), textOf(facts, change.key, change.to)]
  if (isNew) return to === "" ? NOTHING : <ins>{to}</ins>
  if (isText(field) && from !== "" && to !== "") {
    return (
      <span class="text-diff">
        {diffWords(from, to).map(({ kind, text }) => (kind === "same" ? shorten(text) : kind === "gone" ? <del>{text}</del> : <ins>{text}</ins>))}
      </span>
    )
  }
  return (
    <>
      {from === "" ? NOTHING : <del>{from}</del>}
      <span class="arrow">
        <span aria-hidden="true">→</span>
        <span class="visually-hidden">to</span>
      </span>
      {to === "" ? NOTHING : <ins>{to}</ins>}
    </>
  )
}

function isText(field: Field): boolean {
  return field.kind === "text" || field.kind === "markdown" || field.kind === "json"
}

/** The middle of a long piece that did not change says nothing. */
function shorten(text: string): string {
  return text.length > 240 ? `${text.slice(0, 100)} … ${text.slice(-100)}` : text
}

function textOf({ request, modelAdmin, names }: HistoryFacts, key: string, value: unknown): string {
  const field = modelAdmin.field(key)
  if (field.kind !== "reference" && field.kind !== "many") return showValue(field, value, request.zone)
  const ids = [value].flat().filter(id => typeof id === "number")
  return ids.map(id => names.get(key)?.get(id) ?? `#${id}`).join(", ")
}
