import { $$, onContent } from "./page.client.js"

const slugify = text => text.normalize("NFKD").replace(/\p{M}/gu, "").replaceAll("ß", "ss").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 120)

onContent(within => {
  for (const input of $$("[data-slug-from]", within)) {
    const base = input.name.slice(0, input.name.lastIndexOf("-") + 1)
    const source = input.form && [...input.form.elements].find(element => element.name === base + input.dataset.slugFrom)
    if (!source || input.dataset.follows) continue
    input.dataset.follows = "1"
    let own = input.value !== "" && input.value !== slugify(source.value)
    if (input.value !== "") own = true
    input.addEventListener("input", () => (own = input.value !== ""))
    source.addEventListener("input", () => own || (input.value = slugify(source.value)))
  }
})
