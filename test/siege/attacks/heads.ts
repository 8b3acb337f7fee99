/** Heads that are too long, too many, or not what a head is; each is answered or refused, and costs no more than its bound. */
import { count } from "../ledger.ts"
import { each, send, statuses } from "../raw.ts"
import type { Siege } from "../siege.ts"

const line = (target: string, ...fields: string[]): string => [`GET ${target} HTTP/1.1`, "Host: a", ...fields, "", ""].join("\r\n")

/** Payload, and the statuses that are right. */
const heads: readonly (readonly [name: string, bytes: string, statuses: readonly number[]])[] = [
  ["a long target", line(`/${"a".repeat(20_000)}`), [414, 431]],
  ["a long field", line("/", `X: ${"a".repeat(20_000)}`), [431]],
  ["many fields", line("/", ...Array.from({ length: 200 }, (_, i) => `X-${i}: a`)), [431]],
  ["a name without an end", `GET / HTTP/1.1\r\nHost: a\r\n${"x".repeat(40_000)}`, [431]],
  ["two Hosts", line("/", "Host: b"), [400]],
  ["no Host", "GET / HTTP/1.1\r\n\r\n", [400]],
  ["a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", [400]],
  ["a Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", [400]],
  ["an authority that is not the Host's", "GET http://b/ HTTP/1.1\r\nHost: a@c\r\n\r\n", [400]],
  ["NUL in a value", line("/", "X: a\x00b"), [400]],
  ["CR in a value", line("/", "X: a\rb"), [400]],
  ["a fold", line("/", "X: a", " b"), [400]],
  ["a space in a name", line("/", "X Y: a"), [400]],
  ["no colon", line("/", "nothing"), [400]],
  ["a method that is none", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", [400]],
  ["a version that is none", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", [400, 505]],
  ["HTTP/0.9", "GET /\r\n\r\n", [400]],
  ["TLS to the plain port", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", [400]],
  ["an upgrade to nothing", line("/echo/x", "Connection: Upgrade", "Upgrade: nothing"), [200, 400, 426]],
  ["an expectation that is none", line("/echo/x", "Expect: 200-ok"), [417]],
  ["forged trust", line("/echo/x", "X-Forwarded-For: 10.255.255.255", "X_Forwarded_For: 10.255.255.255"), [200]],
  ["a body that is too long", "POST /echo/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000000\r\n\r\n", [413]],
]

export async function bend({ ports, ledger, rounds }: Siege): Promise<void> {
  const row = ledger.row("heads")
  const list = Array.from({ length: rounds * 4 }, () => heads).flat()
  await each(list, 16, async ([name, bytes, right]) => {
    row.sent++
    const { text, end } = await send({ port: ports.http, pieces: [bytes] })
    if (end === "lost") row.lost++
    const answers = statuses(text)
    if (answers.length === 0) row.refused++
    for (const status of answers.slice(0, 1)) count(row, status)
    if (answers.length !== 1 || !right.includes(answers[0]!)) row.wrong.push(`${name}: ${JSON.stringify(text.slice(0, 80))}, not ${right.join(" or ")}`)
  })
}
