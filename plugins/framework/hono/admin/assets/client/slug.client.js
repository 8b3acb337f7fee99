import { $$, onContent } from "./page.client.js"

// A slug follows its title until it is written by hand. The server makes it, so that it is the one that saving makes.
onContent(within => {
  for (const input of $$("[data-slug-from]", within)) {
    const base = input.name.slice(0, input.name.lastIndexOf("-") + 1)
    const source = input.form && [...input.form.elements].find(element => element.name === base + input.dataset.slugFrom)
    if (!source || input.dataset.follows) continue
    input.dataset.follows = "1"
    let own = input.value !== ""
    let shown = source.value
    let wait
    const ask = async () => {
      const text = source.value
      const url = new URL(input.dataset.slugUrl, location.href)
      url.searchParams.set("of", text.slice(0, 500))
      const answer = await fetch(url, { headers: { accept: "application/json" } }).catch(() => null)
      const found = answer?.ok ? await answer.json() : null
      if (own || text !== source.value || !found) return
      shown = text
      input.value = found.slug
    }
    input.addEventListener("input", () => (own = input.value !== ""))
    source.addEventListener("input", () => {
      clearTimeout(wait)
      if (!own) wait = setTimeout(ask, 160)
    })
    // Sent before the answer came: an old slug would stay for ever, an empty one is made of the title.
    input.form.addEventListener("submit", () => {
      if (!own && shown !== source.value) input.value = ""
    })
  }
})
