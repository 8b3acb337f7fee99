import { expect, test } from "bun:test"
import { parseForwarded } from "./forwarded.ts"
import { trustedPeers } from "./trust.ts"

const inside: [range: string, peer: string, expected: boolean][] = [
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["10.0.0.128/25", "10.0.0.127", false],
  ["10.0.0.128/25", "10.0.0.200", true],
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3", "10.1.2.4", false],
  ["0.0.0.0/0", "1.2.3.4", true],
  ["0.0.0.0/0", "::1", false],
  ["::/0", "1.2.3.4", false],
  ["::1", "::1", true],
  ["2001:db8::/33", "2001:db8:7fff::1", true],
  ["2001:db8::/33", "2001:db8:8000::1", false],
  ["::ffff:10.0.0.1", "10.0.0.1", true],
  ["127.0.0.0/8", "::ffff:127.0.0.1", true],
  ["unix", "unix", true],
  ["127.0.0.1", "unix", false],
  ["127.0.0.1", "junk", false],
  ["127.0.0.1", "", false],
]
for (const [range, peer, expected] of inside) {
  test(`${range} ${expected ? "has" : "has not"} ${peer || "nothing"}`, () => expect(trustedPeers([range])(peer)).toBe(expected))
}

test("nobody is trusted by an empty list", () => expect(trustedPeers([])("unix")).toBe(false))
test("a range that is none", () => {
  for (const bad of ["10.0.0.0/33", "junk", "10.0.0.0/x", "10.0.0.0/-1", "::/129"]) expect(() => trustedPeers([bad])).toThrow(bad)
})

test("Forwarded: quotes, case, commas inside quotes, malformed elements", () => {
  const parsed = parseForwarded('For="[::1]:80";PROTO=https, for="a,b;c\\"d", for =x, ;, by=y')
  expect(parsed.map(element => Object.fromEntries(element))).toEqual([
    { for: "[::1]:80", proto: "https" },
    { for: 'a,b;c"d' },
    {},
    {},
    { by: "y" },
  ])
})
