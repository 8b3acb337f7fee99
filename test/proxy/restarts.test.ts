/** Upstreams that are restarted under load, one after the other: nobody who only reads notices. Through the executable. */
import { expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"

/** A server as people restart them: it stops at once, and is back a moment later on the same port. */
class Restarting {
  #server: Bun.Server<undefined>
  readonly port: number
  answered = 0

  constructor() {
    this.#server = this.#serve(0)
    this.port = this.#server.port!
  }

  #serve(port: number): Bun.Server<undefined> {
    const fetch = (): Response => {
      this.answered++
      return new Response("ok")
    }
    return Bun.serve({ hostname: "127.0.0.1", port, fetch })
  }

  async restart(downMs: number): Promise<void> {
    await this.#server.stop(true)
    await Bun.sleep(downMs)
    this.#server = this.#serve(this.port)
  }

  async stop(): Promise<void> {
    await this.#server.stop(true)
  }
}

test.each(["round_robin", "least_conn", "random"])("no GET fails (%s)", async balance => {
  const servers = [new Restarting(), new Restarting(), new Restarting()]
  await using edge = await Edge.start({
    config: `
[server]
fronts = 2
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
proxy = { to = [${servers.map(({ port }) => `"http://127.0.0.1:${port}"`).join(", ")}], balance = "${balance}", retries = 2, health = { max_fails = 1, fail_timeout = "300ms" } }
`,
  })
  const wrong: string[] = []
  let asked = 0
  let done = false
  const client = async (): Promise<void> => {
    while (!done) {
      asked++
      const status = await fetch(edge.url("/")).then(async response => `${response.status} ${await response.text()}`, String)
      if (status !== "200 ok") wrong.push(status)
    }
  }
  const clients = Array.from({ length: 8 }, client)
  for (let i = 0; i < 6; i++) {
    await servers[i % 3]!.restart(150)
    await Bun.sleep(100)
  }
  done = true
  await Promise.all(clients)
  expect(wrong).toEqual([])
  expect(asked).toBeGreaterThan(100)
  for (const server of servers) expect(server.answered).toBeGreaterThan(0)
  await Promise.all(servers.map(server => server.stop()))
}, 60_000)
