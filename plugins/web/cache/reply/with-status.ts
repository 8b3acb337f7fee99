/** A stored answer as one client gets it, with what the cache did to it. */
import { HeaderList, Reply } from "edge"
import type { CacheEntry } from "../store/entry.ts"
import { linesOfOne } from "../store/stored-headers.ts"
import { respond } from "./respond.ts"
import type { Outcome, StatusDetails, StatusLine } from "./cache-status.ts"
import type { Lookup } from "../context.ts"

export interface StatusMark {
  readonly entry: CacheEntry
  readonly outcome: Outcome
  readonly more?: StatusDetails
}

export function withStatus(status: StatusLine, reply: Reply, { entry, outcome, more }: StatusMark): Reply {
  const own = new Reply(reply.status, HeaderList.from(reply.headers), reply.body)
  status.replace(own.headers, outcome, more)
  own.bornSec = entry.prepared.bornSec
  return own
}

/** One that the origin gave to this very request: Age is what came with it (`from`), if any (RFC 9111 5.1). */
export function fromOrigin(status: StatusLine, { x, facts }: Lookup, { from, ...mark }: StatusMark & { from: HeaderList }): Reply {
  const { entry } = mark
  const own = withStatus(status, respond(x, entry, facts) ?? entry.prepared.reply(), mark)
  own.bornSec = undefined
  const age = from.getAll("age")[0]
  if (age !== undefined) own.headers.set("Age", age)
  const lines = linesOfOne(from, entry.terms.strip)
  for (let i = 0; i < lines.length; i += 2) own.headers.append(lines[i]!, lines[i + 1]!)
  return own
}
