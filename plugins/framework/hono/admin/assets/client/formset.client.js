import { $, setUpContent } from "./page.client.js"

// More rows without a page load; the button does the same by itself.
document.addEventListener("click", event => {
  const button = event.target instanceof Element ? event.target.closest(".formset-add") : null
  const set = button?.closest("[data-formset]")
  const template = set && $("template[data-formset-row]", set)
  if (!template) return
  event.preventDefault()
  const total = $(`input[name="${CSS.escape(set.dataset.formset)}-total"]`, set)
  const index = Number(total.value)
  const row = template.content.cloneNode(true)
  for (const element of row.querySelectorAll("*")) {
    for (const attribute of [...element.attributes]) if (attribute.value.includes("__index__")) attribute.value = attribute.value.replaceAll("__index__", String(index))
  }
  const made = row.firstElementChild
  template.before(row)
  total.value = String(index + 1)
  setUpContent(made)
  $("input:not([type=hidden]), select, textarea", made)?.focus()
})
document.addEventListener("change", event => {
  const input = event.target
  if (input.matches?.(".formset-remove input")) input.closest(".formset-row").toggleAttribute("data-deleted", input.checked)
})
