import { $$, root } from "./page.client.js"

// Colours: at once, and kept by the form's own answer.
document.addEventListener("submit", event => {
  const form = event.target
  if (!form.matches("[data-theme-switch]") || !event.submitter) return
  event.preventDefault()
  const { value } = event.submitter
  root.dataset.theme = value
  for (const button of $$("button", form)) button.setAttribute("aria-pressed", String(button === event.submitter))
  const body = new FormData(form)
  body.set("theme", value)
  void fetch(form.action, { method: "POST", body, redirect: "manual" })
})
