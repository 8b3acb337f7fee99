import { $, $$, onContent } from "./page.client.js"

// Rows of a list are ticked one by one, a stretch of them with Shift, or all.
const boxes = form => $$("tbody input[name=id]", form)
const showTicked = form => {
  const bar = $("[data-actions]", form)
  if (!bar) return
  const all = $("[data-all-pages]", form)
  const ticked = boxes(form).filter(box => box.checked).length
  bar.toggleAttribute("data-idle", ticked === 0 && !all?.checked)
  $("[data-ticked]", form).textContent = all?.checked ? "All" : String(ticked)
  const head = $("[data-tick-all]", form)
  if (head) {
    head.checked = ticked > 0 && ticked === boxes(form).length
    head.indeterminate = ticked > 0 && !head.checked
  }
}
const showAll = () => $$("[data-rows]").forEach(showTicked)
let lastBox
document.addEventListener("click", event => {
  const box = event.target
  if (!(box instanceof HTMLInputElement) || box.name !== "id") return
  const form = box.form
  const all = boxes(form)
  if (event.shiftKey && lastBox && all.includes(lastBox)) {
    const [a, b] = [all.indexOf(lastBox), all.indexOf(box)].toSorted((x, y) => x - y)
    for (const between of all.slice(a, b + 1)) between.checked = box.checked
  }
  lastBox = box
  showTicked(form)
})
document.addEventListener("change", event => {
  const input = event.target
  if (input.matches?.("[data-tick-all]")) {
    for (const box of boxes(input.form)) box.checked = input.checked
    if (!input.checked && $("[data-all-pages]", input.form)) $("[data-all-pages]", input.form).checked = false
    showTicked(input.form)
  }
  if (input.matches?.("[data-all-pages]")) {
    for (const box of boxes(input.form)) box.checked = input.checked
    showTicked(input.form)
  }
})
onContent(showAll)
// The browser ticks them again by itself when it goes back.
window.addEventListener("pageshow", showAll)
