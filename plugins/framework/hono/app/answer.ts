import type { Ctx } from "./env.ts"
import { toLocation } from "./location.ts"

/** A call of `c.header`. */
type Said = readonly [name: string, value: string, append: boolean]

/**
 * Lets what a handler says on `c` be part of its answer in whatever way it makes that: Hono forgets headers and cookies of
 * `c` when a handler returns a Response of its own. What that Response says itself wins, cookies and appended values
 * come to it. And `c.redirect` leaves what is encoded alone.
 */
export function completeAnswers(c: Ctx): void {
  const { header } = c
  let said: Said[] | undefined
  c.header = (name, given, options) => {
    const value = given !== undefined && /^location$/i.test(name) ? toLocation(given) : given
    if (c.finalized) return header(name, value, options)
    if (said === undefined) {
      said = []
      catchAnswer(c, () => said!)
    }
    if (options?.append !== true) said = said.filter(([other]) => other.toLowerCase() !== name.toLowerCase())
    if (value !== undefined) said.push([name, value, options?.append === true])
    header(name, value, options)
  }
  c.redirect = ((location: string | URL, status: number = 302) => {
    c.header("Location", toLocation(String(location)))
    return c.newResponse(null, status as 302)
  }) as Ctx["redirect"]
}

/** Looks at the answer when it is handed over, before what later middleware does to it. */
function catchAnswer(c: Ctx, said: () => readonly Said[]): void {
  const { get, set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(c), "res")!
  Object.defineProperty(c, "res", {
    configurable: true,
    get,
    set(answer: Response | undefined) {
      const first = !c.finalized
      set!.call(c, first && answer !== undefined ? completed(answer, said()) : answer)
    },
  })
}

function completed(answer: Response, said: readonly Said[]): Response {
  const missing = said.filter(one => isMissing(answer.headers, one))
  for (const [name, value, append] of missing) {
    if (append) answer.headers.append(name, value)
    else answer.headers.set(name, value)
  }
  return answer
}

function isMissing(headers: Headers, [name, value, append]: Said): boolean {
  if (/^set-cookie$/i.test(name)) return !headers.getSetCookie().includes(value)
  const has = headers.get(name)
  if (append && has !== null) return !has.split(",").some(part => part.trim() === value)
  // A text's type that nobody said.
  return has === null || (/^content-type$/i.test(name) && /^text\/plain;\s*charset=utf-8$/i.test(has))
}
