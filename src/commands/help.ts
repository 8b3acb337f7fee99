/** `edge help KEY`: what a key of site.toml takes and means. */
import { didYouMean, list } from "../config/suggest.ts"
import { EdgeError, errors } from "../errors.ts"
import type { Entry, Section } from "../reference/entries.ts"
import { standardSections } from "../reference/standard-sections.ts"

interface Found {
  readonly section: Section
  readonly entry: Entry
  /** The key with all that it stands below: `server.limits.head`. */
  readonly whole: string
}

export async function run(_options: object, [wanted = ""]: readonly string[]): Promise<void> {
  const all = (await standardSections()).flatMap(section => section.entries.map(entry => ({ section, entry, whole: wholeKey(section, entry) })))
  const found = all.filter(({ whole, section, entry }) => isMeant(wanted, { whole, section, entry }))
  if (found.length === 0) throw new EdgeError(errors.noKey(wanted, didYouMean(wanted, namesOf(all))))
  console.log(found.map(describe).join("\n\n"))
}

/** `server.limits.head`, its end (`limits.head`, `head`), or the section (`compress`, `server`). */
function isMeant(wanted: string, { whole, section, entry }: Found): boolean {
  const plain = wanted.replace(/^\[+|\]+$/g, "")
  return whole === plain || entry.key === plain || whole.endsWith(`.${plain}`) || section.at === plain || section.title === plain
}

function wholeKey({ at }: Section, { key }: Entry): string {
  return [at, key].filter(part => part !== "").join(".")
}

function namesOf(all: readonly Found[]): readonly string[] {
  return [...new Set(all.flatMap(({ whole, section }) => [whole, whole.split(".").at(-1)!, section.at]))]
}

function describe({ section, entry, whole }: Found): string {
  const facts = [list(entry.types), entry.default === "" ? "" : `default ${entry.default}`, `since ${entry.since}`].filter(fact => fact !== "")
  return `${whole}   ${section.title}\n  ${entry.help}\n  ${facts.join("; ")}`
}
