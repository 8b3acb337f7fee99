/**
 * The text format of a folder of wire cases. A file is one topic; a case is a script that is played step by step:
 *
 *     == name of the case
 *     rfc 9112 6.1            where it is written down
 *     on quick                which server of the fixture (default "plain"); "quick" has short time-outs and small limits
 *     only engine             needs a handler that no site.toml can give
 *     > GET / HTTP/1.1        bytes to send, with CRLF; lines in a row are one write
 *     >> abc                  the same without CRLF
 *     --                      a new write, a moment later
 *     fin                     close our side
 *     < 200 "hello"           one answer: status, then its body exactly; ~"..." a part of the body; `head`: none follows;
 *                             `cut`: the connection ends before the body does
 *     <+ Name: value          the answer has this field exactly once with this value
 *     <- Name                 and this one not at all
 *     <raw "bytes"            what comes is this, without being an answer
 *     <*9 200 "hello"         nine such answers
 *     closed | kept | reset   how it ends: the server closes and nothing else came; another request is answered; the
 *                             connection is reset, whatever came before
 *
 * Escapes in bytes and strings: \r \n \t \0 \\ \xHH, and {text*N} for N times text. "#" starts a comment line.
 */
export type Step =
  | { readonly kind: "send"; readonly bytes: Buffer }
  | { readonly kind: "pause" | "fin" | "closed" | "kept" | "reset" }
  | { readonly kind: "raw"; readonly bytes: Buffer }
  | Expected

export interface Expected {
  readonly kind: "answer"
  readonly status: number
  readonly body: string | undefined
  readonly part: string | undefined
  readonly how: "" | "head" | "cut"
  readonly has: [name: string, value: string][]
  readonly hasNot: string[]
}

export interface WireCase {
  readonly name: string
  readonly rfc: string
  readonly server: string
  readonly engineOnly: boolean
  readonly steps: Step[]
}

export function parseCases(text: string, file: string): WireCase[] {
  return text
    .split(/^== /m)
    .slice(1)
    .map(part => parseCase(part.split("\n"), file))
}

function parseCase(lines: string[], file: string): WireCase {
  const name = lines[0]!.trim()
  const found = { rfc: "", server: "plain", engineOnly: false }
  const steps: Step[] = []
  let pending: Buffer[] = []
  const flush = () => {
    if (pending.length > 0) steps.push({ kind: "send", bytes: Buffer.concat(pending) })
    pending = []
  }
  for (const line of lines.slice(1)) {
    if (line.trim() === "" || line.startsWith("#")) continue
    const [word] = line.split(" ", 1) as [string]
    const rest = line.slice(word.length + 1)
    if (word === ">" || word === ">>") {
      pending.push(Buffer.from(unescape(rest) + (word === ">" ? "\r\n" : ""), "latin1"))
      continue
    }
    flush()
    if (word === "rfc") found.rfc = rest
    else if (word === "on") found.server = rest
    else if (word === "only") found.engineOnly = rest === "engine"
    else if (word === "--") steps.push({ kind: "pause" })
    else if (word === "fin" || word === "closed" || word === "kept" || word === "reset") steps.push({ kind: word })
    else if (word === "<raw") steps.push({ kind: "raw", bytes: Buffer.from(unquote(rest), "latin1") })
    else if (word === "<") steps.push(parseAnswer(rest))
    else if (word.startsWith("<*")) for (let i = Number(word.slice(2)); i > 0; i--) steps.push(parseAnswer(rest))
    else if (word === "<+" || word === "<-") addField(steps.at(-1), word, rest)
    else throw new Error(`${file}: ${name}: cannot read "${line}"`)
  }
  flush()
  const last = steps.at(-1)?.kind
  if (found.rfc === "" || !["closed", "kept", "reset"].includes(last ?? "")) throw new Error(`${file}: ${name}: no rfc, or no end`)
  return { name, ...found, steps }
}

function parseAnswer(rest: string): Expected {
  const [status] = rest.split(" ", 1) as [string]
  const what = rest.slice(status.length + 1)
  const how = what === "head" || what === "cut" ? what : ""
  return {
    kind: "answer",
    status: Number(status),
    body: what.startsWith('"') ? unquote(what) : undefined,
    part: what.startsWith("~") ? unquote(what.slice(1)) : undefined,
    how,
    has: [],
    hasNot: [],
  }
}

function addField(step: Step | undefined, word: string, rest: string): void {
  if (step?.kind !== "answer") throw new Error(`"${word} ${rest}" does not follow an answer`)
  const colon = rest.indexOf(":")
  if (word === "<+") step.has.push([rest.slice(0, colon), rest.slice(colon + 1).trim()])
  else step.hasNot.push(rest.trim())
}

function unquote(text: string): string {
  const inside = /^"(.*)"$/.exec(text.trim())
  if (inside === null) throw new Error(`not a quoted string: ${text}`)
  return unescape(inside[1]!)
}

const escapes: Record<string, string> = { r: "\r", n: "\n", t: "\t", "0": "\0", "\\": "\\" }

function unescape(text: string): string {
  return text
    .replaceAll(/\\(?:x([\da-fA-F]{2})|([rnt0\\]))/g, (_, hex: string | undefined, one: string) =>
      hex === undefined ? escapes[one]! : String.fromCharCode(parseInt(hex, 16)),
    )
    .replaceAll(/\{([^{}*]+)\*(\d+)\}/g, (_, part: string, n: string) => part.repeat(Number(n)))
}
