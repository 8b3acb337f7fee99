/** Many at once: connections, pipelined requests, clients that leave. Nothing is answered twice, and nothing to the wrong one. */
import { connect } from "node:net"
import { count } from "../ledger.ts"
import { each, send, statuses } from "../raw.ts"
import type { Siege } from "../siege.ts"

/** 300 requests in one packet, answered in their order. */
export async function pipeline({ ports, ledger, rounds }: Siege): Promise<void> {
  const row = ledger.row("pipelines")
  const LENGTH = 300
  await each(Array.from({ length: 20 * rounds }), 10, async (_, batch) => {
    const ids = Array.from({ length: LENGTH }, (__, i) => `p${batch}x${i}`)
    const paths = ["echo", "wsgi", "app"]
    const bytes = ids.map((id, i) => `GET /${paths[i % 3]}/${id} HTTP/1.1\r\nHost: a\r\n${i === LENGTH - 1 ? "Connection: close\r\n" : ""}\r\n`).join("")
    row.sent += LENGTH
    const { text } = await send({ port: ports.http, pieces: [bytes], fin: false, withinMs: 60_000 })
    const answers = statuses(text)
    for (const status of answers) count(row, status)
    row.lost += LENGTH - answers.length
    const order = [...text.matchAll(/(?:origin|wsgi|app) \/\w+\/(\w+)/g)].map(match => match[1])
    if (!Bun.deepEquals(order, ids)) row.wrong.push(`batch ${batch}: ${order.length} answers, not in the order of the requests`)
  })
}

/** Clients that send a request and are gone, at every stage of it. */
export async function leave({ ports, ledger, rounds }: Siege): Promise<void> {
  const row = ledger.row("clients that leave")
  const request = "POST /wsgi/leave HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
  await each(Array.from({ length: 600 * rounds }), 32, async (_, i) => {
    row.sent++
    await abandoned(ports.http, request.slice(0, 1 + ((i * 7) % request.length)), i % 3 === 0)
    row.refused++
  })
}

function abandoned(port: number, bytes: string, reset: boolean): Promise<void> {
  return new Promise(resolve => {
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      socket.write(bytes, () => {
        if (reset) socket.resetAndDestroy()
        else socket.destroy()
      })
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve())
  })
}
