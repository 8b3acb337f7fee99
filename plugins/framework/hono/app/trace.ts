import { AsyncLocalStorage } from "node:async_hooks"

/** What one request asked of the database; kept in dev only. */
export interface Trace {
  readonly queries: { readonly sql: string; readonly params: readonly unknown[] }[]
}

const traces = new AsyncLocalStorage<Trace>()

export function traced<T>(f: (trace: Trace) => T): T {
  const trace: Trace = { queries: [] }
  return traces.run(trace, () => f(trace))
}

export function currentTrace(): Trace | undefined {
  return traces.getStore()
}

/** Most that are kept for the error page: a loop of queries must not fill the memory. */
const MOST = 500

export function noteQuery(sql: string, params: readonly unknown[]): void {
  const trace = traces.getStore()
  if (trace !== undefined && trace.queries.length < MOST) trace.queries.push({ sql, params })
}

/** From here on the same statement in one request looks like a loop over rows. */
const REPEATS = 10

/** A statement that was asked again and again with other values, and how often. */
export function repeated(trace: Trace): { sql: string; times: number } | undefined {
  const counts = new Map<string, number>()
  for (const { sql } of trace.queries) if (/^select/i.test(sql)) counts.set(sql, (counts.get(sql) ?? 0) + 1)
  const [sql, times] = [...counts].toSorted((a, b) => b[1] - a[1])[0] ?? ["", 0]
  return times >= REPEATS ? { sql, times } : undefined
}
