/** Clients that take their time with a head, with a body, with reading, or with everything. The limits of the config end each. */
import { connect } from "node:net"
import { count } from "../ledger.ts"
import { each, send, statuses } from "../raw.ts"
import type { Siege } from "../siege.ts"

const AT_ONCE = 40

/** A byte now and then: without a limit of its own on heads and on the rate of bodies, each would hold its place for hours. */
export async function slow({ ports, ledger, rounds }: Siege): Promise<void> {
  const drip = (bytes: string): string[] => [...bytes]
  const kinds = {
    "slow heads": drip(`GET /echo/x HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(60)}`),
    "slow bodies": ["POST /wsgi/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", ...drip("a".repeat(80))],
    "slow chunks": ["POST /wsgi/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", ...Array.from({ length: 80 }, () => "1\r\na\r\n")],
    silence: [""],
    "half a body": ["POST /wsgi/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc"],
  }
  await Promise.all(
    Object.entries(kinds).map(([name, pieces]) => {
      const row = ledger.row(name)
      return each(Array.from({ length: AT_ONCE * rounds }), AT_ONCE, async () => {
        row.sent++
        const { text, end } = await send({ port: ports.http, pieces, pauseMs: 150, fin: false, withinMs: 40_000 })
        if (end === "lost") row.lost++
        const [status] = statuses(text)
        if (status === undefined) row.refused++
        else count(row, status)
        if (status !== undefined && status !== 408) row.wrong.push(`answered ${status}`)
      })
    }),
  )
}

/** Asks for much and reads nothing: cut after `send_timeout`, with no more in memory than a few buffers. */
export async function readNothing({ ports, ledger, rounds }: Siege): Promise<void> {
  await Promise.all(
    ["/files/big.bin", "/wsgi/big"].map(path => {
      const row = ledger.row(`slow readers of ${path}`)
      return each(Array.from({ length: (AT_ONCE / 2) * rounds }), AT_ONCE, async () => {
        row.sent++
        if (await cut(ports.http, path)) row.refused++
        else row.lost++
      })
    }),
  )
}

function cut(port: number, path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: "127.0.0.1" })
    const done = (value: boolean): void => {
      clearTimeout(timer)
      clearInterval(look)
      socket.destroy()
      resolve(value)
    }
    const timer = setTimeout(() => done(false), 40_000)
    // Paused from the start: a reset shows when the next byte is written.
    const look = setInterval(() => socket.write("X"), 500)
    socket.pause()
    socket.on("connect", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`))
    socket.on("error", () => done(true))
    socket.on("close", () => done(true))
  })
}
