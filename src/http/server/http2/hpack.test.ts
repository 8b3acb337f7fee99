import { describe, expect, test } from "bun:test"
import { HpackReader, literal, valueOf } from "./hpack.ts"

function hex(text: string): Uint8Array {
  return Buffer.from(text.replace(/\s/g, ""), "hex")
}

function fields(reader: HpackReader, block: Uint8Array): string[] {
  const list: string[] = []
  const wires: Uint8Array[] = []
  reader.read(block, field => {
    list.push(`${field.name}: ${valueOf(field)}`)
    wires.push(field.wire)
  })
  // What goes on to Bun means the same without any state.
  const again: string[] = []
  new HpackReader(1 << 20).read(Buffer.concat(wires), field => again.push(`${field.name}: ${valueOf(field)}`))
  expect(again).toEqual(list)
  return list
}

/** RFC 7541, C.3 and C.4: the same three requests on one connection, without and with Huffman. */
const requests = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
  [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"],
]
test.each([
  ["C.3", ["828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865", "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"]],
  ["C.4", ["828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"]],
])("RFC 7541, %s", (_, blocks) => {
  const reader = new HpackReader(16_384)
  expect(blocks.map(block => fields(reader, hex(block)))).toEqual(requests)
})

test("a table of 256 bytes evicts its oldest (RFC 7541, C.6)", () => {
  const reader = new HpackReader(16_384)
  const first = "3fe101 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3"
  expect(fields(reader, hex(first))).toEqual([":status: 302", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"])
  expect(fields(reader, hex("4883640effc1c0bf"))).toEqual([":status: 307", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"])
  const third =
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"
  expect(fields(reader, hex(third)).slice(-2)).toEqual(["content-encoding: gzip", "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"])
})

describe("an error", () => {
  test.each([
    ["field 0", "80"],
    ["a field that the table has not", "be"],
    ["a name that the table has not", "7e0161"],
    ["a table above 4096 bytes", "3fe21f"],
    ["a size of the table behind a field", "8220"],
    ["a string behind the end", "0005616263"],
    ["a number behind the end", "ff"],
    ["a number without end", "ffffffffffffffffff"],
    ["padding of zeros", "00016183f1e3c0"],
    ["padding of eight ones", "00016182f9ff"],
    ["EOS in a text", "0001618 4ffffffff"],
  ])("%s", (_, block) => {
    expect(() => fields(new HpackReader(16_384), hex(block))).toThrow()
  })

  test("a byte that stands for 4 kB, many times", () => {
    const reader = new HpackReader(65_536)
    fields(reader, Buffer.concat([Uint8Array.of(0x40), literal("a", "x".repeat(4000)).subarray(1)]))
    expect(() => reader.read(new Uint8Array(100).fill(0xbe), () => {})).toThrow("too much")
  })
})

test("every octet as a Huffman text", () => {
  // From the table of RFC 7541, B: what `python3-hpack` made of all 256.
  const reader = new HpackReader(65_536)
  const text = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("")
  const block = hex(allOctets)
  expect(fields(reader, block)).toEqual([`a: ${text}`])
})

const allOctets =
  "000161ffc803ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffebfffffecfffffedff" +
  "fffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3fffffe7fffffebfffffed4fe3f9ffaffcabf1febfafef" +
  "e7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf871e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6" +
  "a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa3fffd3ffff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffb" +
  "fffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1ffffe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8fff" +
  "fd3fffdeffffd5fffeeffffbdffffe1fffdfffff7fffff5ffffecffff07fff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fff" +
  "cbffff37ffff1fffff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8fffffe6f" +
  "ffffc1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdffff4ffff9ffffd1ffffcfff" +
  "feaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fffffd3fffffabfffff5fffffff7ffffecfffffdbff" +
  "fffbbfffff7ffffff0fffffbbf"
