import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listen } from "../../src/http/server/listener.ts"
import type { HttpListener, ListenOptions } from "../../src/http/server/listener.ts"
import type { Logger } from "../../src/log/logger.ts"
import { certificate } from "./certificate.ts"
import { fixture } from "./fixture.ts"
import { allCases, play } from "./play.ts"
import type { Place } from "./play.ts"
import { servers } from "./servers.ts"

/** "host:port" of a running server that answers like the fixture; without it the engine is tried in this process. */
const outside = process.env["EDGE_WIRE_ADDRESS"]
const folder = mkdtempSync(join(tmpdir(), "wire-"))
const listeners: Record<string, HttpListener> = {}
const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }
if (outside === undefined) {
  const options: Omit<ListenOptions, "limits"> = { hostname: "127.0.0.1", port: 0, address: "127.0.0.1:0", handler: fixture(folder), trusted: () => false, log }
  for (const [name, limits] of Object.entries(servers)) listeners[name] = listen({ ...options, limits })
  listeners["tls"] = listen({ ...options, limits: servers["plain"]!, tls: { certificates: [await certificate(folder)] } })
}

afterAll(() => {
  for (const listener of Object.values(listeners)) listener.closeNow()
  rmSync(folder, { recursive: true })
})

let count = 0
for (const { file, cases } of allCases()) {
  count += cases.length
  describe(file, () => {
    for (const one of cases) {
      const plain = one.server === "plain"
      const name = `${one.name} (RFC ${one.rfc})`
      if (outside === undefined || (plain && !one.engineOnly)) test(name, () => play(one, placeOf(one.server)))
      if (outside === undefined && plain) test(`${name}, over TLS`, () => play(one, { ...placeOf("tls"), tls: true }))
    }
  })
}

test("there are at least 150 cases", () => expect(count).toBeGreaterThanOrEqual(150))

function placeOf(server: string): Place {
  if (outside === undefined) return { host: "127.0.0.1", port: listeners[server]!.port }
  const colon = outside.lastIndexOf(":")
  return { host: outside.slice(0, colon), port: Number(outside.slice(colon + 1)) }
}
