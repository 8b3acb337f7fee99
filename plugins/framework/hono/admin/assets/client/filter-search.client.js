import { $, $$, onContent } from "./page.client.js"

// Filters of relations with many rows: choices as one types.
onContent(within => {
  for (const form of $$("[data-filter-search]", within)) {
    if (form.dataset.ready) continue
    form.dataset.ready = "1"
    const input = $("input[name=find]", form)
    const list = document.createElement("div")
    form.after(list)
    let wait
    let asked = 0
    const find = async () => {
      const question = ++asked
      const url = new URL(form.action)
      url.searchParams.set("find", input.value)
      const answer = await fetch(url, { headers: { accept: "application/json" } }).catch(() => null)
      if (question !== asked || !answer?.ok) return
      const key = decodeURIComponent(form.action.split("/").at(-1))
      list.replaceChildren(
        ...(await answer.json()).choices.map(choice => {
          const target = new URL(form.action.replace(/\/choices\/[^/]+$/, ""))
          for (const field of $$("input[type=hidden]", form)) target.searchParams.append(field.name, field.value)
          target.searchParams.append(`f.${key}`, String(choice.id))
          const link = document.createElement("a")
          link.className = "drop-item"
          link.href = target.pathname + target.search
          link.textContent = choice.title
          return link
        }),
      )
    }
    input.addEventListener("input", () => {
      clearTimeout(wait)
      wait = setTimeout(find, 160)
    })
    form.closest("details")?.addEventListener("toggle", event => event.target.open && find())
  }
})
