import type { Child } from "hono/jsx"
import { type ListState, stateQuery } from "../../data/listing.ts"

/** The rest of a list's state, for forms that send one part of it anew. */
export function Kept({ state, search = false }: { state: ListState; search?: boolean }): Child {
  const params = new URLSearchParams(stateQuery(search ? state : { ...state, q: "" }))
  return [...params].map(([name, value]) => <input type="hidden" name={name} value={value} />)
}
