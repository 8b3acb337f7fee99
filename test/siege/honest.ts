/** Those who are meant to be served meanwhile: each request carries an id, and its answer must be that id's, whole. */
import { WireClient } from "../wire/client.ts"
import { count } from "./ledger.ts"
import type { Siege } from "./siege.ts"

const ROUTES = ["echo", "wsgi", "app", "files"] as const
let serial = 0

export async function honest({ ports, ledger }: Siege, { clients, until }: { clients: number; until: () => boolean }): Promise<void> {
  const row = ledger.row("honest clients, meanwhile")
  const one = async (): Promise<void> => {
    while (!until()) {
      const client = await WireClient.open({ host: "127.0.0.1", port: ports.http })
      for (let i = 0; i < 20 && !until(); i++) {
        const route = ROUTES[serial % ROUTES.length]!
        const id = `h${serial++}`
        row.sent++
        const [bytes, wanted] = made(route, id)
        client.send(bytes)
        const answer = await client.answer().catch((error: unknown) => String(error))
        if (typeof answer === "string") row.lost++
        else count(row, answer.status)
        if (typeof answer === "string" || answer.body !== wanted) {
          row.wrong.push(`${route} ${id}: ${typeof answer === "string" ? answer : `${answer.status} ${answer.body.slice(0, 60)}`}`)
          break
        }
      }
      client.close()
    }
  }
  await Promise.all(Array.from({ length: clients }, one))
}

/** A request and the body of its answer. */
function made(route: (typeof ROUTES)[number], id: string): [bytes: string, wanted: string] {
  if (route === "files") return [`GET /files/a.txt?${id} HTTP/1.1\r\nHost: a\r\n\r\n`, "a file\n"]
  const said = route === "echo" ? "origin" : route
  const sent = route === "wsgi" ? id.repeat(20) : ""
  const framing = sent === "" ? "" : `Content-Length: ${sent.length}\r\n`
  return [`${sent === "" ? "GET" : "POST"} /${route}/${id} HTTP/1.1\r\nHost: a\r\n${framing}\r\n${sent}`, `${said} /${route}/${id}${sent === "" ? "" : ` ${sent}`}\n`]
}
