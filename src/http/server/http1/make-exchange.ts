import type { RequestHeadReader } from "../../codec/request-head.ts"
import type { ConnectionFacts } from "../connection-facts.ts"
import { Exchange } from "../../message/exchange.ts"
import { HeaderList } from "../../message/headers.ts"
import { normalizePath } from "../../message/path.ts"
import type { RequestBody } from "./request-body.ts"
import type { RequestCycle } from "./request-cycle.ts"

/** The exchange of the head that was just read. Its path is "" when the target has none that may be served. */
export function makeExchange(head: RequestHeadReader, o: { facts: ConnectionFacts; cycle: RequestCycle; body: RequestBody | undefined }): Exchange {
  const { target } = head
  const mark = target.indexOf("?")
  return new Exchange(
    head.method,
    target,
    normalizePath(mark < 0 ? target : target.slice(0, mark)) ?? "",
    mark < 0 ? "" : target.slice(mark + 1),
    head.host,
    HeaderList.shared(head.block.flat),
    head.minor === 1 ? "1.1" : "1.0",
    o.facts,
    o.cycle,
    o.body ?? null,
    performance.now(),
  )
}

/** Stands for a request that was not understood, so that the access log shows it. */
export function unreadExchange(facts: ConnectionFacts, cycle: RequestCycle): Exchange {
  return new Exchange("-", "-", "", "", "", new HeaderList(), "1.1", facts, cycle, null, performance.now())
}
