import { expect } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { WireClient } from "./client.ts"
import { parseCases } from "./format.ts"
import type { Expected, WireCase } from "./format.ts"

export interface Place {
  readonly host: string
  readonly port: number
  readonly tls?: boolean
}

/** The cases of this folder, by topic. */
export function allCases(): { file: string; cases: WireCase[] }[] {
  const folder = join(import.meta.dir, "cases")
  return readdirSync(folder)
    .toSorted()
    .map(file => ({ file, cases: parseCases(readFileSync(join(folder, file), "utf8"), file) }))
}

/** Plays one case against a server that answers like the fixture. */
export async function play(one: WireCase, place: Place): Promise<void> {
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
