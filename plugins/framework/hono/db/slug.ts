import librarySlugify from "@sindresorhus/slugify"

/** Characters read of a text: the library looks at each, 0.3 us apiece, and a slug has 120. */
const MOST_READ = 1000

/**
 * Text as a slug: Latin letters of other scripts and letters with accents ("Łódź" is "lodz", "Привет" "privet"),
 * everything else that is no letter or digit a hyphen. "" for a text that has no letter or digit we can write so, as in
 * Chinese.
 */
export function slugify(text: string, max = 120): string {
  // NFKC: the wide letters of Japanese keyboards are letters too.
  const slug = librarySlugify(text.slice(0, MOST_READ).normalize("NFKC"), { decamelize: false })
  return slug.slice(0, max).replace(/-$/, "")
}

/**
 * The slug that a row gets when none is given: of the text of another field; random where that has nothing to make one of,
 * so that "你好" can be saved. Undefined for a text that is empty.
 */
export function slugOf(text: string, max = 120): string | undefined {
  if (text.trim() === "") return undefined
  return slugify(text, max) || crypto.randomUUID().replaceAll("-", "").slice(0, Math.min(RANDOM, max))
}

/** Hexadecimal digits: 48 bits, two in a million rows are alike with a chance of 1 in 500. */
const RANDOM = 12
