/** What is sent to the origin: a request of nobody in particular, which fills the cache, or the client's own. */
import { type Carrier, Exchange, type ExchangeEnd, HeaderList } from "edge"
import type { Lookup } from "../context.ts"

/** Conditions and ranges of one client: the answer for all must be whole. Our own are added. */
const ofOneClient = new Set(["if-none-match", "if-modified-since", "if-range", "range"])

export interface Change {
  readonly target: string
  /** Also take off conditions and ranges. */
  readonly whole: boolean
  readonly add?: readonly string[]
}

/** It goes on when the client that began it is gone. */
export function detach(x: Exchange, { target, whole, add = [] }: Change): Exchange {
  const carrier: Carrier = { upgrade: () => null, early: (status, headers) => x.early(status, headers), onAbort() {} }
  const mark = target.indexOf("?")
  const query = mark < 0 ? "" : target.slice(mark + 1)
  const inner = new Exchange(x.method, target, x.path, query, x.host, headersFor(x.headers, { whole, add }), x.httpVersion, x.conn, carrier, null, x.startMs)
  inner.prefix = x.prefix
  inner.params = x.params
  inner.restAt = x.restAt
  inner.vars = x.vars
  return inner
}

function headersFor(headers: HeaderList, { whole, add }: { whole: boolean; add: readonly string[] }): HeaderList {
  const { flat } = headers
  let changed = add.length > 0
  const kept: string[] = []
  for (let i = 0; i < flat.length; i += 2) {
    if (whole && ofOneClient.has(flat[i]!.toLowerCase())) changed = true
    else kept.push(flat[i]!, flat[i + 1]!)
  }
  return changed ? new HeaderList([...kept, ...add]) : headers
}

/** Runs what the parts behind the cache wished to do at the end, as the listener does for the client's own exchange. */
export function finish(inner: Exchange, end: Omit<ExchangeEnd, "ms">): void {
  for (const f of inner.ends ?? []) f({ ...end, ms: performance.now() - inner.startMs })
}

/** The client's own, without the arguments that are ignored; it ends with the client. */
export function ownRequest({ x, target }: Lookup): Exchange {
  if (target === x.target) return x
  const mark = target.indexOf("?")
  return x.with({ target, query: mark < 0 ? "" : target.slice(mark + 1) })
}
