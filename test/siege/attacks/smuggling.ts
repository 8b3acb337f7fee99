/**
 * Two requests in one: framing that servers read differently, with a request to a forbidden path where a body may end.
 * What the public collections of such payloads (for CL.TE, TE.CL, TE.TE, CL.0, TE.0) have in common, multiplied out.
 */
import { total } from "../ledger.ts"
import { each, send, statuses } from "../raw.ts"
import type { Siege } from "../siege.ts"

const codings = [
  "Transfer-Encoding: chunked",
  "Transfer-Encoding : chunked",
  " Transfer-Encoding: chunked",
  "Transfer-Encoding:\tchunked",
  "Transfer-Encoding:\x0bchunked",
  "Transfer-Encoding: chunked\x00",
  "Transfer-Encoding: \x00chunked",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: chunk",
  "Transfer-Encoding: CHUNKED",
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: identity, chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: ,chunked",
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding: identity",
  "Transfer-Encoding:",
  "Transfer-Encoding:\r\n chunked",
  "Transfer-Encoding\r\n: chunked",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
  "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
  "X-A: b\nTransfer-Encoding: chunked",
  "X-A: b\rTransfer-Encoding: chunked",
  "Transfer_Encoding: chunked",
  "Transfer\x00Encoding: chunked",
  "Transfer-Encoding\x00: chunked",
  "Transfer-Encodin\xc3\xa7: chunked",
  "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
  "Connection: Content-Length",
]

/** `N` is the length that reaches to the end of everything, `0` of nothing. */
const lengths = [
  "",
  "Content-Length: N",
  "Content-Length: 0",
  "Content-Length: +N",
  "Content-Length: -1",
  "Content-Length: 0xN",
  "Content-Length: N, N",
  "Content-Length: 0, N",
  "Content-Length: 0\r\nContent-Length: N",
  "Content-Length: N\r\nContent-Length: N",
  "Content-Length : N",
  " Content-Length: N",
  "Content-Length:\x0bN",
  "Content-Length: N\x00",
  "Content-Length: N 0",
  "Content-Length: N.0",
  "Content_Length: N",
  "X-A: b\nContent-Length: N",
  "Content-Length:\r\n N",
  "Content-Length: 99999999999999999999",
  "Content-Length:",
]

/** What stands where the body may be; `INNER` is the forbidden request. */
const bodies = [
  "0\r\n\r\nINNER",
  "INNER",
  "1\r\nZ\r\n0\r\n\r\nINNER",
  "0\n\nINNER",
  "0;\nx\r\n\r\nINNER",
  "-1\r\nINNER",
  "0x0\r\n\r\nINNER",
  "ffffffffffffffff0\r\n\r\nINNER",
  "1 \r\nZ\r\n0\r\n\r\nINNER",
  "1\r\nZZ0\r\n\r\nINNER",
]

interface Payload {
  readonly head: string
  readonly body: string
}

function payloads(): Payload[] {
  const found: Payload[] = []
  // Codings with every body and a few lengths, then the lengths with the bodies that matter to them: pairs, not all triples.
  for (const coding of codings) {
    for (const length of ["", "Content-Length: N", "Content-Length: 0"]) {
      for (const body of bodies) found.push({ head: [coding, length].filter(line => line !== "").join("\r\n"), body })
    }
  }
  for (const length of lengths) {
    for (const coding of ["", "Transfer-Encoding: chunked", "Transfer-Encoding : chunked"]) {
      for (const body of bodies.slice(0, 3)) found.push({ head: [length, coding].filter(line => line !== "").join("\r\n"), body })
    }
  }
  return found
}

/** Methods with and without a meaning for a body: CL.0 works where a server ignores bodies of GET. */
const methods = ["POST", "GET", "HEAD", "OPTIONS"]

export async function smuggle({ ports, ledger, rounds }: Siege): Promise<void> {
  const row = ledger.row("smuggling")
  const list = Array.from({ length: rounds }, payloads).flat()
  await each(list, 24, async ({ head, body }, i) => {
    const id = `s${i}`
    const inner = `GET /forbidden/${id} HTTP/1.1\r\nHost: a\r\nX-Inner: ${id}\r\n\r\n`
    const bytes = body.replace("INNER", () => inner)
    const method = methods[i % methods.length]!
    const lines = head.replaceAll("N", String(bytes.length))
    row.sent++
    const { text, end } = await send({ port: ports.http, pieces: [`${method} /echo/${id} HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n${bytes}`] })
    const answers = statuses(text)
    if (end === "lost") row.lost++
    else if (answers.length === 0) row.refused++
    else row.answered[answers[0]!] = (row.answered[answers[0]!] ?? 0) + 1
    // A second answer is one to the inner request as a request of its own: allowed when edge itself read it so, and refused it.
    if (answers.slice(1).some(status => status < 400)) row.wrong.push(`${JSON.stringify(lines)} ${JSON.stringify(body)}: the inner request was answered ${answers.join(", ")}`)
    for (const [, other] of text.matchAll(/origin \/\w+\/(\w+)/g)) {
      if (other !== id) row.wrong.push(`${id} was given the answer of ${other}`)
    }
  })
  const answered = total(row.answered) + row.refused + row.lost
  if (answered !== row.sent) row.wrong.push(`${row.sent} sent, ${answered} counted`)
}
