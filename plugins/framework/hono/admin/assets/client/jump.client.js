import { $, $$ } from "./page.client.js"

// Jump to a page: a dialog in which the first letters of its name are enough.
const jump = $("#jump")
const jumpSearch = $("#jump-search")
const jumpItems = () => $$("li:not([hidden])", jump)
const select = item => {
  for (const other of $$("li", jump)) other.setAttribute("aria-selected", String(other === item))
  if (item) {
    item.scrollIntoView({ block: "nearest" })
    jumpSearch.setAttribute("aria-activedescendant", item.id)
  }
}
function openJump() {
  jumpSearch.value = ""
  for (const item of $$("li", jump)) item.hidden = false
  jump.showModal()
  select(jumpItems()[0])
}
jumpSearch?.addEventListener("input", () => {
  const words = jumpSearch.value.toLowerCase().split(/\s+/).filter(Boolean)
  for (const item of $$("li", jump)) item.hidden = !words.every(word => item.textContent.toLowerCase().includes(word))
  select(jumpItems()[0])
})
jumpSearch?.addEventListener("keydown", event => {
  const items = jumpItems()
  const at = items.findIndex(item => item.getAttribute("aria-selected") === "true")
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault()
    select(items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length])
  }
  if (event.key === "Enter" && items[at]) location.href = items[at].dataset.href
})
jump?.addEventListener("click", event => {
  const item = event.target.closest("li")
  if (item) location.href = item.dataset.href
  else if (event.target === jump) jump.close()
})
document.addEventListener("click", event => {
  if (event.target instanceof Element && event.target.closest("[data-open=jump]")) openJump()
})
document.addEventListener("keydown", event => {
  if (!(event.ctrlKey || event.metaKey) || event.key !== "k" || !jump || jump.open) return
  event.preventDefault()
  openJump()
})
