import { $ } from "./page.client.js"

// A form with changes asks before it is left.
const guarded = $("form[data-guard]")
if (guarded) {
  let dirty = $(".form-errors, .conflict", guarded) !== null
  const note = $("[data-unsaved]", guarded)
  const mark = () => {
    dirty = true
    if (note) note.hidden = false
  }
  if (dirty) mark()
  guarded.addEventListener("input", event => event.target.closest("[data-no-guard]") || mark())
  guarded.addEventListener("change", mark)
  guarded.addEventListener("submit", () => (dirty = false))
  window.addEventListener("beforeunload", event => {
    if (dirty) event.preventDefault()
  })
  $(".form-errors")?.scrollIntoView({ block: "nearest" })
}
