// What scripts add to the admin: comfort. Every page works without them.
// Nothing here writes HTML: texts of rows go through textContent, so none of them can become markup.
"use strict"
;(() => {
  const root = document.documentElement
  root.classList.add("js")
  const $ = (selector, within = document) => within.querySelector(selector)
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)]
  const say = text => {
    const live = $("#live")
    if (live) live.textContent = text
  }
  const remember = (key, value) => {
    try {
      if (value === undefined) return localStorage.getItem(key)
      localStorage.setItem(key, value)
    } catch {
      // A browser that keeps nothing.
    }
    return null
  }

  // Toasts: those that say all is well leave by themselves, unless they are being read.
  const dismiss = toast => {
    toast.classList.add("leaving")
    setTimeout(() => toast.remove(), 220)
  }
  for (const toast of $$(".toast-success, .toast-info")) {
    let timer
    const start = () => (timer = setTimeout(dismiss, 7000, toast))
    toast.addEventListener("pointerenter", () => clearTimeout(timer))
    toast.addEventListener("focusin", () => clearTimeout(timer))
    toast.addEventListener("pointerleave", start)
    start()
  }

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

  // Menus close when something else is clicked, or with Escape.
  document.addEventListener("click", event => {
    for (const drop of $$("details.drop[open]")) if (!drop.contains(event.target)) drop.open = false
    const target = event.target instanceof Element ? event.target : null
    const close = target?.closest("[data-dismiss]")
    if (close) dismiss(close.closest(".toast"))
    if (target?.closest("[data-open=jump]")) openJump()
  })

  // Lists --------------------------------------------------------------------------------------------------------
  const boxes = form => $$("tbody input[name=id]", form)
  const tell = form => {
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
  const setUpLists = () => $$("[data-rows]").forEach(tell)
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
    tell(form)
  })
  document.addEventListener("change", event => {
    const input = event.target
    if (input.matches?.("[data-tick-all]")) {
      for (const box of boxes(input.form)) box.checked = input.checked
      if (!input.checked && $("[data-all-pages]", input.form)) $("[data-all-pages]", input.form).checked = false
      tell(input.form)
    }
    if (input.matches?.("[data-all-pages]")) {
      for (const box of boxes(input.form)) box.checked = input.checked
      tell(input.form)
    }
  })
  // Shift and a click on a heading: sort by it after what is sorted by already.
  document.addEventListener(
    "click",
    event => {
      const link = event.target instanceof Element ? event.target.closest("a.sort[data-along]") : null
      if (!link || !event.shiftKey) return
      event.preventDefault()
      event.stopPropagation()
      location.href = link.dataset.along
    },
    true,
  )
  document.addEventListener("htmx:afterSettle", () => {
    setUpLists()
    setUpFields(document)
    const results = $("#results")
    if (results) say(results.dataset.total)
  })
  window.addEventListener("pageshow", setUpLists)

  // Forms --------------------------------------------------------------------------------------------------------
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

  const slugify = text => text.normalize("NFKD").replace(/\p{M}/gu, "").replaceAll("ß", "ss").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 120)

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
    setUpFields(made)
    $("input:not([type=hidden]), select, textarea", made)?.focus()
  })

  document.addEventListener("change", event => {
    const input = event.target
    if (input.matches?.(".formset-remove input")) input.closest(".formset-row").toggleAttribute("data-deleted", input.checked)
    // A picture is shown before it is sent.
    if (input.matches?.("[data-widget=image] input[type=file]")) {
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
    }
  })

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
      const turn = ++asked
      const url = new URL(select.dataset.autocomplete, location.href)
      const typed = !many && input.value === (current()[0]?.textContent.trim() ?? "") ? "" : input.value
      url.searchParams.set("find", typed)
      const answer = await fetch(url, { headers: { accept: "application/json" } }).catch(() => null)
      if (turn !== asked || !answer?.ok || document.activeElement !== input) return
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

  const setUpFields = within => {
    for (const select of $$("select[data-autocomplete]:not([hidden])", within)) if (select.dataset.autocomplete && !select.closest("template")) combo(select)
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
    // Filters of relations with many rows: choices as one types.
    for (const form of $$("[data-filter-search]", within)) {
      if (form.dataset.ready) continue
      form.dataset.ready = "1"
      const input = $("input[name=find]", form)
      const list = document.createElement("div")
      form.after(list)
      let wait
      let asked = 0
      const find = async () => {
        const turn = ++asked
        const url = new URL(form.action)
        url.searchParams.set("find", input.value)
        const answer = await fetch(url, { headers: { accept: "application/json" } }).catch(() => null)
        if (turn !== asked || !answer?.ok) return
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
  }

  // Jump to a page ----------------------------------------------------------------------------------------------
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

  // Shortcuts of a single key can be switched off (WCAG 2.2, 2.1.4).
  const switchBox = $("#shortcuts-on")
  if (switchBox) {
    switchBox.checked = remember("admin-shortcuts") !== "off"
    switchBox.addEventListener("change", () => remember("admin-shortcuts", switchBox.checked ? "on" : "off"))
  }
  let waitingForG = false
  const rows = () => $$("tr[data-row]")
  const move = by => {
    const all = rows()
    if (all.length === 0) return
    const at = all.findIndex(row => row.classList.contains("at"))
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)]
    for (const row of all) row.classList.toggle("at", row === next)
    $("a.row-link", next)?.focus({ preventScroll: true })
    next.scrollIntoView({ block: "nearest" })
  }
  const here = () => $("tr[data-row].at")
  const press = name => $(`[data-key="${name}"]`)
  const singles = {
    "/": () => press("/")?.focus(),
    "?": () => $("#help").togglePopover(),
    n: () => press("n")?.click(),
    "[": () => press("[")?.click(),
    "]": () => press("]")?.click(),
    j: () => move(1),
    k: () => move(-1),
    x: () => $("input[name=id]", here() ?? document.createElement("tr"))?.click(),
    g: () => {
      waitingForG = true
      setTimeout(() => (waitingForG = false), 1200)
    },
  }
  document.addEventListener("keydown", event => {
    const typing = event.target instanceof Element && event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog")
    if (event.key === "Escape") {
      for (const drop of $$("details.drop[open]")) {
        drop.open = false
        $("summary", drop).focus()
      }
      if (typing && event.target.matches("#q")) event.target.blur()
      return
    }
    if (event.ctrlKey || event.metaKey) {
      const button = event.key === "s" ? press("mod+s") : event.key === "Enter" ? press("mod+enter") : null
      if (button) {
        event.preventDefault()
        button.click()
      }
      if (event.key === "k" && jump && !jump.open) {
        event.preventDefault()
        openJump()
      }
      return
    }
    if (typing || event.altKey || remember("admin-shortcuts") === "off") return
    if (waitingForG && event.key === "d") location.href = root.dataset.home
    waitingForG = false
    const act = Object.hasOwn(singles, event.key) ? singles[event.key] : undefined
    if (act) {
      event.preventDefault()
      act()
    }
  })

  setUpFields(document)
  setUpLists()
})()
