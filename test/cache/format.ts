/**
 * A case of the cache in words: what a client asks, what the origin answers, what the client gets.
 *
 *     use stale_if_error = "1m"        options of the cache
 *     ask GET /a                       a step; header lines follow. {} stands for the case's own folder, everywhere
 *     origin 200                       its answer, with header lines and after an empty line the body.
 *                                      A step without it must not reach the origin. "origin cut": it closes
 *     saw                              header lines of the request as the origin gets it
 *     get 200                          header lines of the client's answer, after an empty line the body
 *
 * A value "-" means: not there; "~text" contains the text; "?" there, whatever it says.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

export type Line = readonly [name: string, value: string]

export interface Part {
  /** What follows the word that begins it. */
  readonly head: string
  readonly lines: Line[]
  body: string | undefined
}

export interface Step {
  readonly ask: Part
  origin?: Part
  saw?: Part
  get?: Part
}

export interface Case {
  readonly name: string
  readonly options: string
  readonly steps: readonly Step[]
}

export function readCases(folder: string): Case[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(name => name.endsWith(".txt"))
  return names.toSorted().map(name => parseCase(name.slice(0, -4), readFileSync(join(folder, name), "utf8")))
}

export function parseCase(name: string, text: string): Case {
  const steps: Step[] = []
  const options: string[] = []
  let part: Part | undefined
  for (const line of text.trimEnd().split("\n")) {
    const word = /^(use|ask|origin|saw|get)(?: (.*))?$/.exec(line)
    if (line.startsWith("# ")) continue
    if (word !== null) {
      part = begin(word[1]!, word[2] ?? "", { steps, options })
      continue
    }
    if (part === undefined) continue
    if (part.body !== undefined) part.body += part.body === "" ? line : `\n${line}`
    else if (line === "") part.body = ""
    else {
      const at = line.indexOf(":")
      if (at < 1) throw new Error(`${name}: not a header line: ${line}`)
      part.lines.push([line.slice(0, at), line.slice(at + 1).trim()])
    }
  }
  return { name, options: options.join(", "), steps }
}

function begin(word: string, head: string, to: { steps: Step[]; options: string[] }): Part | undefined {
  if (word === "use") {
    to.options.push(head)
    return undefined
  }
  const part: Part = { head, lines: [], body: undefined }
  if (word === "ask") to.steps.push({ ask: part })
  else to.steps.at(-1)![word as "origin"] = part
  return part
}

/** The body without the empty lines that only keep the parts of a file apart. */
export function bodyOf(part: Part | undefined): string | undefined {
  return part?.body?.replace(/\n+$/, "")
}
