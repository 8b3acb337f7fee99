import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listen } from "../../src/http/listener.ts"
import type { HttpListener } from "../../src/http/listener.ts"
import type { Limits } from "../../src/http/limits.ts"
import type { TlsOptions } from "../../src/http/tls.ts"
import type { Logger } from "../../src/log/logger.ts"
import { certificate } from "./certificate.ts"
import { WireClient } from "./client.ts"
import { fixture, servers } from "./fixture.ts"
import { parseCases } from "./format.ts"
import type { Expected, WireCase } from "./format.ts"

/** "host:port" of a running server that answers like the fixture; without it the engine is tried in this process. */
const outside = process.env["EDGE_WIRE_ADDRESS"]
const folder = mkdtempSync(join(tmpdir(), "wire-"))
const listeners: Record<string, HttpListener> = {}
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet }
if (outside === undefined) {
  const handler = fixture(folder)
  const open = (limits: Limits, tls?: TlsOptions) =>
    listen({ hostname: "127.0.0.1", port: 0, address: "127.0.0.1:0", handler, limits, trusted: () => false, log: quiet, ...(tls && { tls }) })
  for (const [name, limits] of Object.entries(servers)) listeners[name] = open(limits)
  listeners["tls"] = open(servers["plain"]!, { certificates: [await certificate(folder)] })
}

afterAll(() => {
  for (const listener of Object.values(listeners)) listener.closeNow()
  rmSync(folder, { recursive: true })
})

let count = 0
for (const file of readdirSync(join(import.meta.dir, "cases")).toSorted()) {
  const cases = parseCases(readFileSync(join(import.meta.dir, "cases", file), "utf8"), file)
  count += cases.length
  describe(file, () => {
    for (const one of cases) {
      const possible = outside === undefined || (!one.engineOnly && one.server === "plain")
      test.if(possible)(`${one.name} (RFC ${one.rfc})`, () => play(one, placeOf(one.server)))
      const secure = outside === undefined && one.server === "plain"
      test.if(secure)(`${one.name}, over TLS`, () => play(one, { ...placeOf("tls"), tls: true }))
    }
  })
}

test("there are at least 150 cases", () => expect(count).toBeGreaterThanOrEqual(150))

async function play(one: WireCase, place: { host: string; port: number; tls?: boolean }): Promise<void> {
  const client = await WireClient.open(place)
  try {
    for (const step of one.steps) {
      if (step.kind === "send") client.send(step.bytes)
      else if (step.kind === "pause") await Bun.sleep(10)
      else if (step.kind === "fin") client.fin()
      else if (step.kind === "raw") expect(await client.take(step.bytes.length)).toBe(step.bytes.toString("latin1"))
      else if (step.kind === "answer") await expectAnswer(client, step)
      else if (step.kind === "closed") {
        expect(await client.closes()).toBe(true)
        expect(client.rest).toBe("")
      } else if (step.kind === "reset") {
        await client.closes()
        expect(client.reset).toBe(true)
      } else await expectKept(client)
    }
  } finally {
    client.close()
  }
}

async function expectAnswer(client: WireClient, step: Expected): Promise<void> {
  const answer = await client.answer(step.how)
  expect(answer.status).toBe(step.status)
  expect(answer.complete).toBe(step.how !== "cut")
  if (step.body !== undefined) expect(answer.body).toBe(step.body)
  if (step.part !== undefined) expect(answer.body).toContain(step.part)
  const values = (name: string) => answer.fields.filter(([have]) => have.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  for (const [name, value] of step.has) expect(values(name)).toEqual([value])
  for (const name of step.hasNot) expect(values(name)).toEqual([])
}

/** Another request is understood: the two sides agree where the last one ended. */
async function expectKept(client: WireClient): Promise<void> {
  expect(client.rest).toBe("")
  client.send("GET /hello?kept HTTP/1.1\r\nHost: kept\r\n\r\n")
  const answer = await client.answer()
  expect([answer.status, answer.body]).toEqual([200, "hello"])
}

function placeOf(server: string): { host: string; port: number } {
  if (outside === undefined) return { host: "127.0.0.1", port: listeners[server]!.port }
  const colon = outside.lastIndexOf(":")
  return { host: outside.slice(0, colon), port: Number(outside.slice(colon + 1)) }
}
