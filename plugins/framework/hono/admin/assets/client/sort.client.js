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
