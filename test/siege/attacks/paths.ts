/** Spellings of a way out of the root, to a hidden file, and past an access rule. */
import { count } from "../ledger.ts"
import { each, send, statuses } from "../raw.ts"
import type { Siege } from "../siege.ts"
import { SECRET } from "../siege.ts"

const dots = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..%00", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "..;", "..;a=b", "\xc0\xae\xc0\xae", ". .", "...", "%2e%2e%2e"]
const slashes = ["/", "//", "\\", "%2f", "%5c", "%2F%2F", "%252f", "%255c", "/./", "%c0%af", "/;/", "/%2e/"]
const files = ["secret.txt", "etc/passwd", "public/.hidden"]
/** Where a spelling begins: below the folder of files, beside its prefix (nginx's alias), and at the top. */
const bases = ["/files/", "/files", "/files/sub/", "/files/link/", "/"]

function escapes(): string[] {
  return bases.flatMap(base =>
    dots.flatMap(dot => slashes.flatMap(slash => files.flatMap(file => [1, 3].map(depth => base + (dot + slash).repeat(depth) + file)))),
  )
}

/** Spellings of /forbidden/x, which an ip rule closes. */
function forbidden(): string[] {
  const names = ["forbidden", "%66orbidden", "FORBIDDEN", "forbidden%20", "forbidden.", "forbidden;a", "forbidden%00", "./forbidden", "%2e/forbidden", "/forbidden", "x/../forbidden", "x/%2e%2e/forbidden", "x%2f..%2fforbidden", "x\\..\\forbidden", "x%5c..%5cforbidden", "forbidden%3f", "forbidden%23"]
  const ends = ["/x", "%2fx", "%2Fx", "\\x", "%5cx", "//x", "/./x", "/%2e/x", "/y/../x", ";/x", "/x#", "/x#/../../open", "?/x", "%2f..%2fforbidden%2fx"]
  return names.flatMap(name => ends.map(end => `/${name}${end}`))
}

/** What a server makes of a target that decodes it once, takes backslashes for slashes and resolves dots. */
export function decodedOnce(target: string): string {
  const path = target.split(/[?#]/)[0]!.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const parts: string[] = []
  for (const part of path.replaceAll("\\", "/").split("/")) {
    if (part === "" || part === ".") continue
    if (part === "..") parts.pop()
    else parts.push(part)
  }
  return `/${parts.join("/")}`
}

export async function walk({ ports, ledger, rounds }: Siege): Promise<void> {
  const row = ledger.row("paths")
  const targets = Array.from({ length: rounds }, () => [...escapes(), ...forbidden()]).flat()
  await each(targets, 24, async target => {
    row.sent++
    const { text, end } = await send({ port: ports.http, pieces: [`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`], fin: false })
    if (end === "lost") row.lost++
    const [status] = statuses(text)
    if (status === undefined) row.refused++
    else count(row, status)
    if (text.includes(SECRET)) row.wrong.push(`${JSON.stringify(target)} gave a secret`)
    if (status === 200 && decodedOnce(target).startsWith("/forbidden/")) row.wrong.push(`${JSON.stringify(target)} walked around the rule of /forbidden/*`)
  })
}
