import { $, $$ } from "./page.client.js"

// Menus close when something else is clicked, or with Escape.
document.addEventListener("click", event => {
  for (const drop of $$("details.drop[open]")) if (!drop.contains(event.target)) drop.open = false
})
document.addEventListener("keydown", event => {
  if (event.key !== "Escape") return
  for (const drop of $$("details.drop[open]")) {
    drop.open = false
    $("summary", drop).focus()
  }
})
