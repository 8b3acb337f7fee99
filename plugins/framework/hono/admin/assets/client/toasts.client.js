import { $$ } from "./page.client.js"

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
document.addEventListener("click", event => {
  const close = event.target instanceof Element ? event.target.closest("[data-dismiss]") : null
  if (close) dismiss(close.closest(".toast"))
})
