import { $, $$, onContent, say } from "./page.client.js"

/** A select with many rows as a combobox (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/): the select stays, hidden, and is what is sent. */
let serial = 0
const combo = select => {
  const id = `combo-${serial++}`
  const many = select.multiple
  const label = $(`label[for="${CSS.escape(select.id)}"]`)
  const box = document.createElement("div")
  box.className = "combo"
  const chosen = document.createElement("div")
  chosen.className = "combo-chosen"
  const input = document.createElement("input")
  const list = document.createElement("ul")
  Object.assign(input, { type: "text", id: `${id}-input`, autocomplete: "off", spellcheck: false, placeholder: many ? "Add…" : "Type to find…" })
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list" })) input.setAttribute(name, value)
  for (const name of ["aria-describedby", "aria-invalid"]) if (select.hasAttribute(name)) input.setAttribute(name, select.getAttribute(name))
  input.dataset.noGuard = ""
  list.className = "combo-list"
  list.id = `${id}-list`
  list.hidden = true
  list.setAttribute("role", "listbox")
  list.setAttribute("aria-label", label?.firstChild?.textContent ?? "Choices")
  if (label) label.htmlFor = input.id
  select.hidden = true
  select.required = false
  const find = select.parentElement && $(".field-find", select.parentElement)
  find?.remove()
  select.after(box)
  box.append(...(many ? [chosen] : []), input, list)
  let options = []
  let at = -1
  let asked = 0
  const current = () => [...select.selectedOptions].filter(option => option.value !== "")
  const draw = () => {
    if (!many) {
      input.value = current()[0]?.textContent.trim() ?? ""
      return
    }
    chosen.replaceChildren(
      ...current().map(option => {
        const chip = document.createElement("span")
        chip.className = "combo-chip"
        const off = document.createElement("button")
        off.type = "button"
        off.textContent = "×"
        off.setAttribute("aria-label", `Remove ${option.textContent.trim()}`)
        off.addEventListener("click", () => {
          option.selected = false
          select.dispatchEvent(new Event("change", { bubbles: true }))
          draw()
          input.focus()
        })
        chip.append(option.textContent.trim(), off)
        return chip
      }),
    )
  }
  const shut = () => {
    list.hidden = true
    at = -1
    input.setAttribute("aria-expanded", "false")
    input.removeAttribute("aria-activedescendant")
  }
  const point = index => {
    at = index
    ;[...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)))
    const item = list.children[at]
    if (item) {
      item.scrollIntoView({ block: "nearest" })
      input.setAttribute("aria-activedescendant", item.id)
    }
  }
  const choose = choice => {
    if (!many) for (const option of select.options) option.selected = false
    let option = [...select.options].find(one => one.value === String(choice.id))
    if (!option) select.append((option = new Option(choice.title, String(choice.id))))
    option.selected = true
    select.dispatchEvent(new Event("change", { bubbles: true }))
    if (many) input.value = ""
    draw()
    shut()
  }
  const open = async () => {
    const question = ++asked
    const url = new URL(select.dataset.autocomplete, location.href)
    const typed = !many && input.value === (current()[0]?.textContent.trim() ?? "") ? "" : input.value
    url.searchParams.set("find", typed)
    const answer = await fetch(url, { headers: { accept: "application/json" } }).catch(() => null)
    if (question !== asked || !answer?.ok || document.activeElement !== input) return
    options = (await answer.json()).choices.filter(choice => !many || !current().some(option => option.value === String(choice.id)))
    list.replaceChildren(
      ...options.map((choice, i) => {
        const item = document.createElement("li")
        item.id = `${id}-${i}`
        item.setAttribute("role", "option")
        item.setAttribute("aria-selected", "false")
        item.textContent = choice.title
        item.addEventListener("pointerdown", event => {
          event.preventDefault()
          choose(choice)
        })
        return item
      }),
    )
    if (options.length === 0) {
      const none = document.createElement("li")
      none.className = "combo-none"
      none.setAttribute("role", "option")
      none.setAttribute("aria-disabled", "true")
      none.textContent = "Nothing matches"
      list.append(none)
    }
    list.hidden = false
    input.setAttribute("aria-expanded", "true")
    say(options.length === 1 ? "1 choice" : `${options.length} choices`)
  }
  let wait
  input.addEventListener("input", () => {
    clearTimeout(wait)
    wait = setTimeout(open, 160)
    if (!many && input.value === "") {
      select.value = ""
      select.dispatchEvent(new Event("change", { bubbles: true }))
    }
  })
  input.addEventListener("focus", () => many || input.select())
  input.addEventListener("click", open)
  input.addEventListener("blur", () => {
    shut()
    if (many) input.value = ""
    else draw()
  })
  input.addEventListener("keydown", event => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault()
      if (list.hidden) return void open()
      if (options.length > 0) point((at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length)
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault()
      if (options[at] ?? options[0]) choose(options[at] ?? options[0])
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation()
      shut()
      if (!many) draw()
    } else if (event.key === "Backspace" && many && input.value === "") {
      const last = current().at(-1)
      if (last) {
        last.selected = false
        select.dispatchEvent(new Event("change", { bubbles: true }))
        draw()
      }
    }
  })
  draw()
}

onContent(within => {
  for (const select of $$("select[data-autocomplete]:not([hidden])", within)) if (select.dataset.autocomplete && !select.closest("template")) combo(select)
})
