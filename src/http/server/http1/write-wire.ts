import { clock } from "../../../system/clock.ts"
import type { Wire } from "../../message/reply.ts"
import type { Output } from "./output.ts"
import { connectionLine } from "./reply-head.ts"
import type { HeadFacts } from "./reply-head.ts"

/** Writes an answer prepared at load: one copy, one write. Returns the bytes of its body. */
export function writeWire(wire: Wire, out: Output, facts: HeadFacts): number {
  const { bytes, bodyAt } = wire
  if (wire.dateSec !== clock.sec) {
    wire.dateSec = clock.sec
    if (wire.ageAt === undefined) bytes.latin1Write(clock.date, wire.dateAt)
    else bytes.latin1Write(String(Math.max(0, clock.sec - wire.bornSec!)).padStart(10), wire.ageAt)
  }
  const end = facts.isHead ? bodyAt : bytes.length
  const line = connectionLine(facts.keepAlive, facts.minor)
  if (line === "") out.bytes(end === bytes.length ? bytes : bytes.subarray(0, end), bodyAt)
  else {
    // In front of the empty line, and not in the bytes that all share.
    out.bytes(bytes.subarray(0, bodyAt - 2), bodyAt - 2)
    out.text(line + "\r\n")
    if (end > bodyAt) out.bytes(bytes.subarray(bodyAt, end))
  }
  return end - bodyAt
}
