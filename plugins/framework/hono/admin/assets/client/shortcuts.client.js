import { $, $$, remember, root } from "./page.client.js"

// Shortcuts of a single key can be switched off (WCAG 2.2, 2.1.4).
const switchBox = $("#shortcuts-on")
if (switchBox) {
  switchBox.checked = remember("admin-shortcuts") !== "off"
  switchBox.addEventListener("change", () => remember("admin-shortcuts", switchBox.checked ? "on" : "off"))
}
let waitingForG = false
const rows = () => $$("tr[data-row]")
const move = by => {
  const all = rows()
  if (all.length === 0) return
  const at = all.findIndex(row => row.classList.contains("at"))
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)]
  for (const row of all) row.classList.toggle("at", row === next)
  $("a.row-link", next)?.focus({ preventScroll: true })
  next.scrollIntoView({ block: "nearest" })
}
const here = () => $("tr[data-row].at")
const press = name => $(`[data-key="${name}"]`)
const singles = {
  "/": () => press("/")?.focus(),
  "?": () => $("#help").togglePopover(),
  n: () => press("n")?.click(),
  "[": () => press("[")?.click(),
  "]": () => press("]")?.click(),
  j: () => move(1),
  k: () => move(-1),
  x: () => $("input[name=id]", here() ?? document.createElement("tr"))?.click(),
  g: () => {
    waitingForG = true
    setTimeout(() => (waitingForG = false), 1200)
  },
}
document.addEventListener("keydown", event => {
  const typing = event.target instanceof Element && event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog")
  if (event.key === "Escape") {
    if (typing && event.target.matches("#q")) event.target.blur()
    return
  }
  if (event.ctrlKey || event.metaKey) {
    const button = event.key === "s" ? press("mod+s") : event.key === "Enter" ? press("mod+enter") : null
    if (button) {
      event.preventDefault()
      button.click()
    }
    return
  }
  if (typing || event.altKey || remember("admin-shortcuts") === "off") return
  if (waitingForG && event.key === "d") location.href = root.dataset.home
  waitingForG = false
  const act = Object.hasOwn(singles, event.key) ? singles[event.key] : undefined
  if (act) {
    event.preventDefault()
    act()
  }
})
