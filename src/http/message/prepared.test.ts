import { expect, test } from "bun:test"
import { HeaderList } from "./headers.ts"
import { derive, isHot, Prepared, rehead } from "./prepared.ts"
import { Reply } from "./reply.ts"

test("the wire is the answer, its date is where it says, its body is in memory once", () => {
  const { wire, body } = new Prepared(200, ["X-A", "1"], "body")
  const { bytes, dateAt, bodyAt } = wire!
  expect(bytes.latin1Slice(0, dateAt)).toBe("HTTP/1.1 200 OK\r\nDate: ")
  expect(bytes.latin1Slice(dateAt + 29, bodyAt)).toBe("\r\nX-A: 1\r\nContent-Length: 4\r\n\r\n")
  expect(bytes.latin1Slice(bodyAt)).toBe("body")
  expect((body as Uint8Array).buffer).toBe(bytes.buffer)
})

test("an answer from a cache has its own date, and its age where it says; what is made of it too", () => {
  const prepared = new Prepared(200, ["Date", "then", "X-A", "1"], "body", { bornSec: 1000 })
  for (const one of [prepared, derive(prepared.reply(), headers => headers.set("X-A", "2"))]) {
    const { bytes, dateAt, ageAt, bornSec } = one.wire!
    expect([dateAt, bornSec, one.reply().bornSec]).toEqual([-1, 1000, 1000])
    expect(bytes.latin1Slice(0, ageAt! + 10)).toBe("HTTP/1.1 200 OK\r\nAge:          0")
    expect(bytes.latin1Slice()).toContain("\r\nDate: then\r\nX-A: ")
  }
})

test.each([
  [200, true],
  [404, true],
  [204, false],
  [304, false],
])("Content-Length of an empty %d: %p", (status, has) => {
  expect(new Prepared(status, []).wire!.bytes.toString().includes("Content-Length: 0")).toBe(has)
})

test("a body past 1 MB has no wire, and stays the very same bytes", () => {
  const body = new Uint8Array(1_048_577)
  const prepared = new Prepared(200, [], body)
  expect([prepared.wire, prepared.body]).toEqual([null, body])
  expect(isHot(prepared.reply())).toBe(true)
})

test("a reply is hot until it is changed", () => {
  const prepared = new Prepared(200, ["X-A", "1"], "body")
  const reply = () => prepared.reply()
  const changed = [reply(), reply(), reply()]
  changed[0]!.headers.set("X-A", "2")
  changed[1]!.status = 201
  changed[2]!.body = "other"
  expect(changed.map(one => [isHot(one), one.wire])).toEqual([
    [false, null],
    [false, null],
    [false, null],
  ])
  expect([isHot(reply()), isHot(new Reply(200)), prepared.flat[1]]).toEqual([true, false, "1"])
})

test("rehead: hot ones once, others each time, the status is told", () => {
  let calls = 0
  const known = new WeakMap<object, Prepared>()
  const change = (headers: HeaderList, status: number) => {
    calls++
    headers.set("X-Status", String(status))
  }
  const prepared = new Prepared(404, [], "no")
  const first = rehead(prepared.reply(), { change, known })
  expect(rehead(prepared.reply(), { change, known }).wire).toBe(first.wire!)
  expect([calls, first.wire!.bytes.toString().includes("X-Status: 404\r\n")]).toEqual([1, true])
  rehead(Reply.text(200, "x"), { change, known })
  rehead(Reply.text(200, "x"), { change, known })
  expect(calls).toBe(3)
})

test("what is made of a large one does not copy it", () => {
  const body = new Uint8Array(600_000)
  const reply = new Prepared(200, [], body).reply()
  const made = derive(reply, headers => headers.set("X-A", "1"))
  expect(made.wire).toBe(null)
  expect((made.body as Uint8Array).buffer).toBe((reply.body as Uint8Array).buffer)
})
