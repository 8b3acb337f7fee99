/** The time as logs write it. Each form is made once a second: at 100,000 lines a second it would cost more than the line. */
let second = 0
let iso = ""
let common = ""
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

function tick(): void {
  const now = Date.now()
  const s = Math.floor(now / 1000)
  if (s === second) return
  second = s
  const date = new Date(now)
  iso = date.toISOString().slice(0, 19) + "Z"
  common = `${iso.slice(8, 10)}/${MONTHS[date.getUTCMonth()]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`
}

/** "2026-01-31T12:00:00Z" */
export function nowIso(): string {
  tick()
  return iso
}

/** "31/Jan/2026:12:00:00 +0000", as Apache has it. */
export function nowCommon(): string {
  tick()
  return common
}
