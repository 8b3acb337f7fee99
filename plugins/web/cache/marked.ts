/** A stored answer as one client gets it, with what the cache did to it. */
import { HeaderList, Reply } from "edge"
import type { Entry } from "./entry.ts"
import { linesOfOne } from "./lines.ts"
import { respond } from "./respond.ts"
import type { Outcome, Said, StatusLine } from "./status.ts"
import type { Asked } from "./parts.ts"

export interface Mark {
  readonly entry: Entry
  readonly outcome: Outcome
  readonly more?: Said
}

export function marked(status: StatusLine, reply: Reply, { entry, outcome, more }: Mark): Reply {
  const own = new Reply(reply.status, HeaderList.from(reply.headers), reply.body)
  status.replace(own.headers, outcome, more)
  own.bornSec = entry.prepared.bornSec
  return own
}

/** One that the origin gave to this very request: Age is what came with it (`from`), if any (RFC 9111 5.1). */
export function justCome(status: StatusLine, { x, facts }: Asked, { from, ...mark }: Mark & { from: HeaderList }): Reply {
  const { entry } = mark
  const own = marked(status, respond(x, entry, facts) ?? entry.prepared.reply(), mark)
  own.bornSec = undefined
  const age = from.getAll("age")[0]
  if (age !== undefined) own.headers.set("Age", age)
  const lines = linesOfOne(from, entry.terms.strip)
  for (let i = 0; i < lines.length; i += 2) own.headers.append(lines[i]!, lines[i + 1]!)
  return own
}
