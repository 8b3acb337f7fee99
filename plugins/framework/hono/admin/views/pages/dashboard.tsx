import type { Child } from "hono/jsx"
import type { ChangeKind } from "../../history/change.ts"
import type { Recent } from "../history.tsx"
import type { MenuGroup } from "../menu.ts"
import { showAgo, showDatetime } from "../../data/datetimes.ts"
import { cutText } from "../../data/values.ts"
import type { AdminRequest } from "../request.tsx"
import { CHANGE_ICONS } from "./history.tsx"
import { Icon } from "./icons.tsx"

interface DashboardFacts {
  readonly request: AdminRequest
  readonly menu: readonly MenuGroup[]
  /** Rows by model, as text. */
  readonly counts: ReadonlyMap<string, string>
  readonly panels: readonly { readonly title: string; readonly wide: boolean; readonly content: Child }[]
  readonly recent: readonly Recent[]
}

/** The first page. */
export function DashboardPage(facts: DashboardFacts): Child {
  const { menu, panels } = facts
  return (
    <div class="dashboard">
      <div class="dashboard-main">
        {menu.length === 0 && (
          <div class="empty">
            <span class="empty-icon">
              <Icon name="lock" size={28} />
            </span>
            <h2>Nothing to see</h2>
            <p>Your account has no permissions yet. Somebody with more can give you some.</p>
          </div>
        )}
        {menu.map((group, i) => (
          <section aria-labelledby={`group-${i}`}>
            <h2 id={`group-${i}`} class="section-title">
              {group.title}
            </h2>
            <ul class="tiles">
              {group.items.map(item => (
                <li class="tile">
                  <span class="tile-icon">
                    <Icon name={item.icon} size={20} />
                  </span>
                  <a class="tile-name" href={item.href}>
                    {item.label}
                  </a>
                  <span class="tile-count">{facts.counts.get(item.name) ?? ""}</span>
                  {item.add !== undefined && (
                    <a class="tile-add icon-button" href={item.add} aria-label={`Add to ${item.label}`} title="Add">
                      <Icon name="plus" />
                    </a>
                  )}
                </li>
              ))}
            </ul>
          </section>
        ))}
        {panels.length > 0 && (
          <div class="panels">
            {panels.map(panel => (
              <section class={panel.wide ? "card panel wide" : "card panel"}>
                <h2>{panel.title}</h2>
                {panel.content}
              </section>
            ))}
          </div>
        )}
      </div>
      <RecentChanges {...facts} />
    </div>
  )
}

const DONE: Readonly<Record<ChangeKind, string>> = { add: "added", change: "changed", delete: "deleted", action: "ran an action on" }

function RecentChanges({ request, recent }: DashboardFacts): Child {
  return (
    <section class="card recent" aria-labelledby="recent-title">
      <h2 id="recent-title">Recent changes</h2>
      {recent.length === 0 ? (
        <p class="hint">What is changed here shows up in this place.</p>
      ) : (
        <ol>
          {recent.map(({ change, modelAdmin, title, href }) => (
            <li>
              <span class={`entry-icon kind-${change.kind}`}>
                <Icon name={CHANGE_ICONS[change.kind]} size={14} />
              </span>
              <span class="recent-text">
                {href === undefined ? <span class="recent-title">{cutText(title, 60)}</span> : <a class="recent-title" href={href}>{cutText(title, 60)}</a>}
                <small>
                  {change.userName} {change.kind === "action" ? `ran “${change.note}”` : DONE[change.kind]} · {modelAdmin.label} ·{" "}
                  <time datetime={change.at.toISOString()} title={showDatetime(change.at, request.zone)}>
                    {showAgo(change.at, request.zone)}
                  </time>
                </small>
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
