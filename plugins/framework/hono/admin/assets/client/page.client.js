// What scripts add to the admin: comfort. Every page works without them.
// Nothing here writes HTML: texts of rows go through textContent, so none of them can become markup.
export const root = document.documentElement
root.classList.add("js")
export const $ = (selector, within = document) => within.querySelector(selector)
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)]
export const say = text => {
  const live = $("#live")
  if (live) live.textContent = text
}
export const remember = (key, value) => {
  try {
    if (value === undefined) return localStorage.getItem(key)
    localStorage.setItem(key, value)
  } catch {
    // A browser that keeps nothing.
  }
  return null
}

/** Behaviours of what a page holds: set up when the page is there, again when htmx or a new row brings more. */
const setUps = []
export const onContent = setUp => void setUps.push(setUp)
export const setUpContent = within => {
  for (const setUp of setUps) setUp(within)
}
document.addEventListener("htmx:afterSettle", () => {
  setUpContent(document)
  const results = $("#results")
  if (results) say(results.dataset.total)
})
