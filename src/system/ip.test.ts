import { expect, test } from "bun:test"
import * as net from "node:net"
import { isIP } from "./ip.ts"

const texts = [
  "", "1.2.3.4", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "1.2.3.", "a.b.c.d", "1e1.2.3.4",
  "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":::", ":1", "1:", "::1:", "2001:db8::ff00:42:8329",
  "::ffff:1.2.3.4", "::1.2.3.4", "1.2.3.4::", "1::1.2.3.4:5", "::ffff:1.2.3.256", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:6:7::",
  "::1:2:3:4:5:6:7", "::1:2:3:4:5:6:7:8", "12345::", "g::", "fe80::1%eth0", "fe80::1%", "fe80::1%a%b", "%eth0", "1.2.3.4%eth0", "[::1]", "::1\n", "1.2.3.4\n", "-1.2.3.4", "+1.2.3.4",
]

test.each(texts.map(text => [text] as const))("%j", text => {
  expect(isIP(text)).toBe(net.isIP(text) as never)
})

test("thousands of near misses", () => {
  // A fixed generator: a failure can be run again.
  let seed = 42
  const next = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n
  const parts = [":", "::", ".", "0", "1", "ff", "255", "256", "1.2.3.4", "abcd", "%e", "01"]
  const seen = { 0: 0, 4: 0, 6: 0 }
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: 1 + next(9) }, () => parts[next(parts.length)]).join("")
    const ours = isIP(text)
    if (ours !== net.isIP(text)) expect([text, ours]).toEqual([text, net.isIP(text) as never])
    seen[ours]++
  }
  expect(seen[4]).toBeGreaterThan(100)
  expect(seen[6]).toBeGreaterThan(100)
})
