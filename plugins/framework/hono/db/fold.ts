/**
 * Texts that contain another, without regard to case, beyond ASCII too. SQLite's LIKE folds A to Z only, and PostgreSQL's
 * ILIKE what the database's locale knows (in "C" the same). So where a letter is not ASCII each letter becomes the set of its
 * forms: GLOB '*[łŁ][óÓ]dź*', which needs no function that SQLite does not have.
 */
import { type SQL, sql } from "drizzle-orm"

export type Place = "contains" | "startsWith" | "endsWith"

/** `text` as it is: what is special in a pattern is escaped here. */
export function likeFolded(at: unknown, text: string, o: { place: Place; postgres: boolean }): SQL {
  // oxlint-disable-next-line no-control-regex
  const ascii = /^[\u0000-\u007f]*$/.test(text)
  const [before, after] = [o.place === "startsWith" ? "" : "%", o.place === "endsWith" ? "" : "%"]
  if (ascii) {
    const pattern = before + text.replaceAll(/[\\%_]/g, "\\$&") + after
    return o.postgres ? sql`${at} ilike ${pattern} escape '\\'` : sql`${at} like ${pattern} escape '\\'`
  }
  if (!o.postgres) return sql`${at} glob ${(before && "*") + [...text].map(globOf).join("") + (after && "*")}`
  return sql`${at} ~ ${(before ? "" : "^") + [...text].map(regexOf).join("") + (after ? "" : "$")}`
}

/** A letter and its other forms of one character each: "ß" is not "SS" here, and "ς" is a "σ". */
function formsOf(letter: string): readonly string[] {
  const forms = new Set([letter, letter.toLowerCase(), letter.toUpperCase(), letter.toUpperCase().toLowerCase(), ...(SAME.find(set => set.includes(letter)) ?? [])])
  return [...forms].filter(form => [...form].length === 1)
}
/** Those that upper and lower case do not lead to from each other. */
const SAME = ["σςΣ", "ſsS", "µμΜ", "ıiI", "İiI", "\u212akK", "\u212båÅ", "\u2126ωΩ", "ẞß"]

function globOf(letter: string): string {
  const forms = formsOf(letter)
  return forms.length > 1 || "*?[".includes(letter) ? `[${forms.join("")}]` : letter
}

function regexOf(letter: string): string {
  const forms = formsOf(letter)
  if (forms.length > 1) return `[${forms.join("")}]`
  return /[\\^$.|?*+()[\]{}]/.test(letter) ? `\\${letter}` : letter
}
