import type { AppCommand } from "edge/app"
import { createUser, User } from "edge/auth"
import { slugify, transaction } from "edge/db"
import { Article, Comment, Section } from "./models.ts"

const SECTIONS = ["World", "Science", "Culture", "Business", "Sport", "Opinion"]
const WHO = ["The council", "A small team", "The oldest library", "One village", "The harbour", "A quiet street", "The orchestra", "A retired teacher"]
const DOES = ["rebuilds", "discovers", "questions", "celebrates", "maps", "restores", "measures", "remembers"]
const WHAT = ["a lost river", "the night sky", "its own past", "the price of bread", "a forgotten song", "the last ferry", "a better bridge", "the first frost"]
const SENTENCES = [
  "Nobody had expected it to take this long, and nobody wanted it to end.",
  "The figures, published on Tuesday, are **better than feared** and worse than hoped.",
  "“We began with a table, two chairs and a list,” she says; the list is still on the wall.",
  "What follows is a story of *patience*, of weather, and of one stubborn pump.",
  "Neighbours bring soup. Experts bring charts. Both are needed.",
  "By noon the square was full, and the band had run out of music.",
]

/** The same rows every time: figures of two runs can be compared. */
function pick<T>(from: readonly T[], n: number): T {
  return from[(Math.imul(n + 1, 2_654_435_761) >>> 16) % from.length]!
}

function bodyOf(n: number): string {
  const paragraphs = Array.from({ length: 6 }, (_, p) => Array.from({ length: 4 }, (__, s) => pick(SENTENCES, n * 31 + p * 7 + s)).join(" "))
  paragraphs.splice(3, 0, "## What comes next", "- a meeting in spring\n- a plan by summer\n- and, perhaps, a party")
  return paragraphs.join("\n\n")
}

export const seed: AppCommand = {
  name: "seed",
  help: "fills the newsroom: seed [ARTICLES], default 20000; staff is editor@example.com with password EDGE_PASSWORD",
  async run([count = "20000"]) {
    if ((await Article.all.limit(1)).length > 0) throw new Error("there are articles already")
    const password = process.env.EDGE_PASSWORD ?? "newsroom otter lantern"
    const editor = await createUser({ email: "editor@example.com", name: "Edith Editor", password, isStaff: true, isSuperuser: true })
    const authors = [editor, ...(await User.all.createMany(["Ada Marsh", "Ben Okafor", "Chiara Rossi", "Dan Lee"].map(name => ({ name, email: `${slugify(name)}@example.com` }))))]
    const sections = await Section.all.createMany(SECTIONS.map(name => ({ name, blurb: `Everything about ${name.toLowerCase()}, every day.` })))
    const newest = Date.now()
    await transaction(async () => {
      for (let from = 0; from < Number(count); from += 500) {
        const rows = Array.from({ length: Math.min(500, Number(count) - from) }, (_, i) => {
          const n = from + i
          const title = `${pick(WHO, n)} ${pick(DOES, n * 3 + 1)} ${pick(WHAT, n * 7 + 2)}`
          return {
            title,
            slug: `${slugify(title)}-${n}`,
            section: pick(sections, n * 5 + 3),
            author: pick(authors, n * 11 + 4),
            summary: pick(SENTENCES, n).replaceAll(/[*“”]/g, ""),
            body: bodyOf(n),
            publishedAt: new Date(newest - n * 1_800_000),
          }
        })
        const made = await Article.all.createMany(rows)
        await Comment.all.createMany(made.filter(({ id }) => id % 4 === 0).flatMap(article => [0, 1, 2].map(n => ({ article, author: pick(authors, article.id + n), body: pick(SENTENCES, article.id + n) }))))
      }
    })
    console.log(`${count} articles in ${sections.length} sections`)
  },
}
