/* oxlint-disable import/default -- texts, not modules */
import page from "./client/page.client.js" with { type: "text" }
import start from "./client/start.client.js" with { type: "text" }
import combobox from "./client/combobox.client.js" with { type: "text" }
import filterSearch from "./client/filter-search.client.js" with { type: "text" }
import formset from "./client/formset.client.js" with { type: "text" }
import jump from "./client/jump.client.js" with { type: "text" }
import menus from "./client/menus.client.js" with { type: "text" }
import picture from "./client/picture.client.js" with { type: "text" }
import shortcuts from "./client/shortcuts.client.js" with { type: "text" }
import slug from "./client/slug.client.js" with { type: "text" }
import sort from "./client/sort.client.js" with { type: "text" }
import theme from "./client/theme.client.js" with { type: "text" }
import ticks from "./client/ticks.client.js" with { type: "text" }
import toasts from "./client/toasts.client.js" with { type: "text" }
import unsaved from "./client/unsaved.client.js" with { type: "text" }

/** What has no `export` of its own is a block: names of one behaviour are none of another's. */
const parts = [toasts, theme, menus, ticks, sort, unsaved, slug, formset, picture, combobox, filterSearch, jump, shortcuts]

/**
 * The admin's script: one file for browsers, one behaviour a file for us. They import nothing but page.client.js, so
 * joining them is taking the words off that browsers would load files by.
 */
export const clientScript = ["\"use strict\"", ";(() => {", joined(page), ...parts.map(part => `{\n${joined(part)}}`), joined(start), "})()", ""].join("\n")

function joined(text: string): string {
  return text.replaceAll(/^import .*\n/gm, "").replaceAll(/^export /gm, "")
}
