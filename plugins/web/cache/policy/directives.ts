/** Cache-Control (RFC 9111 5.2) and the fields that stand in for it (RFC 9213). */

/** Lower-case names; the first of several equal ones holds (4.2.1). True for a directive without a value. */
export type Directives = ReadonlyMap<string, string | true>

export const noDirectives: Directives = new Map()

/** One directive: a name, and a token or a quoted string; no spaces around "=". */
const directive = /([^\s,=;"]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?[ \t]*(,|$)/y

/** What is no directive is skipped up to the next comma. */
export function parseDirectives(text: string): Directives {
  const found = new Map<string, string | true>()
  let at = 0
  while ((at = between(text, at)) < text.length) {
    directive.lastIndex = at
    const match = directive.exec(text)
    if (match === null) {
      at = skip(text, at)
      continue
    }
    at = directive.lastIndex
    const name = match[1]!.toLowerCase()
    if (!found.has(name)) found.set(name, match[2]?.replaceAll(/\\(.)/g, "$1") ?? match[3] ?? true)
  }
  return found
}

/** Where the next directive begins. A loop: as part of the pattern it would be tried anew from every comma. */
function between(text: string, from: number): number {
  let i = from
  while (i < text.length && " \t,".includes(text[i]!)) i++
  return i
}

/** Behind the next comma that is not inside quotes: `extension="max-age=3600"` says nothing about max-age. */
function skip(text: string, from: number): number {
  let quoted = false
  for (let i = from; i < text.length; i++) {
    const c = text[i]
    if (c === "\\" && quoted) i++
    else if (c === '"') quoted = !quoted
    else if (c === "," && !quoted && i > from) return i + 1
  }
  return text.length
}

/** A targeted field is a Dictionary (RFC 8941 3.2): one mistake, and all of it is as if not there. */
const dictionary =
  /^[ \t]*(?:[a-z*][a-z0-9_\-.*]*(?:=(?:"(?:[^"\\]|\\["\\])*"|\?[01]|-?\d{1,15}(?:\.\d{1,3})?|[A-Za-z*][!#$%&'*+\-.^_`|~:/\w]*))?(?:;[ ]*[a-z*][a-z0-9_\-.*]*(?:=[^,;\s]*)?)*[ \t]*(?:,[ \t]*(?=\S)|$))+$/

export function parseTargeted(text: string): Directives | null {
  if (!dictionary.test(text) || wrongType.test(text)) return null
  return parseDirectives(text.replaceAll(parameters, part => (part.startsWith(";") ? "" : part)))
}

/** They say nothing to us; a string is stepped over. */
const parameters = /"(?:[^"\\]|\\.)*"|;[^,]*/g

/** A time that is no number. */
const wrongType = /(?:^|[,\s])(?:max-age|s-maxage|stale-while-revalidate|stale-if-error)(?!=\d|[\w-])/

/** Past it everything is "for ever" (RFC 9111 1.2.2). */
const MOST_SECONDS = 2 ** 31

/** Seconds of a directive; undefined when it is not there, 0 (stale) when its value is none. */
export function seconds(directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  if (value === undefined) return undefined
  if (value === true || !/^\d+$/.test(value)) return 0
  return Math.min(Number(value), MOST_SECONDS)
}

/** Age (5.1): the first member of the first line, or 0. */
export function parseAge(text: string | undefined): number {
  const match = text === undefined ? null : /^\s*(\d+)\s*(?:,|$)/.exec(text)
  return match === null ? 0 : Math.min(Number(match[1]), MOST_SECONDS)
}

/** The fields that `private="a, b"` or `no-cache="a, b"` names, in lower case. */
export function fieldNames(value: string | true | undefined): string[] {
  if (value === undefined || value === true) return []
  return value.split(",").map(name => name.trim().toLowerCase()).filter(name => name !== "")
}
