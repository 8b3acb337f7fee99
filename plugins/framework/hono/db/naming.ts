/** "publishedAt" and "in_review" as people write them: "Published at", "In review". */
export function words(key: string): string {
  const spaced = key
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/[_-]+/g, " ")
    .toLowerCase()
  return spaced.charAt(0).toUpperCase() + spaced.slice(1)
}

/** The usual English plural; a model whose word is another gives `labelPlural`. */
export function plural(word: string): string {
  if (/[^aeiou]y$/i.test(word)) return word.slice(0, -1) + "ies"
  if (/(?:s|x|z|ch|sh)$/i.test(word)) return word + "es"
  return word + "s"
}

/** A column's name: "publishedAt" is "published_at", a reference "author" is "author_id". */
export function column(key: string, reference = false): string {
  const snake = key.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase()
  return reference ? snake + "_id" : snake
}
