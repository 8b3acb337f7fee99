import type { Child } from "hono/jsx"
import type { InlineEditor } from "../editor.ts"
import type { Related } from "../../data/related.ts"
import type { AdminRequest } from "../request.tsx"
import { ReadonlyValue } from "./readonly.tsx"

/** Rows of an inline that may be seen and not changed. */
export function FixedRows({ request, inline, related }: { request: AdminRequest; inline: InlineEditor; related: Related }): Child {
  const { modelAdmin, keys, fixed } = inline
  return (
    <div class="table-wrap" role="region" aria-label={inline.inline.label} tabindex={0}>
      <table>
        <thead>
          <tr>
            {keys.map(key => (
              <th scope="col">{modelAdmin.labelOf(key)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {fixed.map(row => (
            <tr>
              {keys.map(key => (
                <td data-label={modelAdmin.labelOf(key)}>
                  <ReadonlyValue request={request} modelAdmin={modelAdmin} field={key} row={row} related={related} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
