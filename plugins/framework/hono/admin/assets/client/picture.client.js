import { $ } from "./page.client.js"

// A picture is shown before it is sent.
document.addEventListener("change", event => {
  const input = event.target
  if (!input.matches?.("[data-widget=image] input[type=file]")) return
  const [file] = input.files
  const holder = input.closest(".field-file")
  $(".local-preview", holder)?.remove()
  if (!file?.type.startsWith("image/") || file.type === "image/svg+xml") return
  const image = document.createElement("img")
  image.className = "preview local-preview"
  image.alt = `Preview of ${file.name}`
  image.src = URL.createObjectURL(file)
  image.addEventListener("load", () => URL.revokeObjectURL(image.src))
  input.before(image)
})
