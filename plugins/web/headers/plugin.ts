import type { Handler, Prepared, Reply } from "edge"
import { after, definePlugin, HeaderList, rehead } from "edge"
import { type Changes, headersSchema } from "./schema.ts"

type Change = (headers: HeaderList) => void

/** Sets, adds and removes header lines of answers and requests. */
export default definePlugin({
  name: "headers",
  kind: "middleware",
  config: headersSchema,
  setup: config => {
    const request = toChange(config.request, { alike: true })
    const response = toChange(config)
    return { part: next => onRequest(request, onResponse(response, next)) }
  },
})

/** On a copy: a route that passes must leave the request as it was. */
function onRequest(change: Change | null, next: Handler): Handler {
  if (change === null) return next
  return x => {
    const inner = x.with({ headers: HeaderList.from(x.headers) })
    change(inner.headers)
    return next(inner)
  }
}

function onResponse(change: Change | null, next: Handler): Handler {
  if (change === null) return next
  const known = new WeakMap<object, Prepared>()
  const options = { change, known }
  const on = { change: (reply: Reply) => rehead(reply, options) }
  return x => after(() => next(x), on)
}

/**
 * Null when there is nothing to do, so that it costs nothing. `alike`: what apps may take for a field that is set or removed
 * goes too, else the client has the last word (X_User, X.User).
 */
function toChange(changes: Changes | undefined, { alike = false } = {}): Change | null {
  if (changes === undefined) return null
  const set = pairs(changes.set)
  const add = pairs(changes.add)
  const missing = pairs(changes.default)
  const { remove } = changes
  if (set.length + add.length + missing.length + remove.length === 0) return null
  return headers => {
    for (const name of remove) {
      if (alike) headers.deleteAlike(name)
      else headers.delete(name)
    }
    for (const [name, values] of set) {
      if (alike) headers.deleteAlike(name)
      headers.set(name, values[0] ?? "")
      for (const value of values.slice(1)) headers.append(name, value)
    }
    for (const [name, values] of missing) {
      if (!headers.has(name)) for (const value of values) headers.append(name, value)
    }
    for (const [name, values] of add) for (const value of values) headers.append(name, value)
  }
}

function pairs(table: Readonly<Record<string, string | readonly string[]>>): [name: string, values: readonly string[]][] {
  return Object.entries(table).map(([name, value]) => [name, typeof value === "string" ? [value] : value])
}
