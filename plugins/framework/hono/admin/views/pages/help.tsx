import type { Child } from "hono/jsx"
import { Icon } from "./icons.tsx"

/** One place for what assets/client/shortcuts.client.js listens to. */
const SHORTCUTS: readonly (readonly [title: string, keys: readonly (readonly [keys: string, what: string])[]])[] = [
  [
    "Everywhere",
    [
      ["?", "This list"],
      ["Ctrl K", "Jump to a page"],
      ["g d", "Dashboard"],
      ["Esc", "Close what is open"],
    ],
  ],
  [
    "Lists",
    [
      ["/", "Search"],
      ["j k", "Next, previous row"],
      ["Enter", "Open the row"],
      ["x", "Select the row"],
      ["n", "Add new"],
      ["[ ]", "Previous, next page"],
    ],
  ],
  [
    "Forms",
    [
      ["Ctrl S", "Save"],
      ["Ctrl Enter", "Save and add another"],
    ],
  ],
]

export function ShortcutHelp(): Child {
  return (
    <div id="help" class="dialog" popover="auto" role="dialog" aria-labelledby="help-title">
      <div class="dialog-head">
        <h2 id="help-title">Keyboard shortcuts</h2>
        <button class="icon-button" type="button" popovertarget="help" popovertargetaction="hide" aria-label="Close">
          <Icon name="close" />
        </button>
      </div>
      <div class="shortcuts">
        {SHORTCUTS.map(([title, keys]) => (
          <section>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div>
                  <dt>
                    {key.split(" ").map(part => (
                      <kbd>{part}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label class="check only-script">
        <input type="checkbox" id="shortcuts-on" checked />
        <span>Shortcuts of a single key</span>
      </label>
      <noscript>
        <p class="hint">Shortcuts need JavaScript. Everything else works without.</p>
      </noscript>
    </div>
  )
}
