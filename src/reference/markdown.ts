/** docs/reference.md, from the entries. */
import { list } from "../config/suggest.ts"
import { type Entry, FIRST_VERSION, type Section } from "./entries.ts"

const INTRODUCTION = `# Reference of site.toml

Every key, its type, its default and its meaning. This page is written by edge from the schemas that check a config
(\`npm run docs:write\`; a test compares them), and \`edge help KEY\` prints an entry of it: \`edge help head_timeout\`. What a key does where
one sentence is too short is in [web.md](web.md) and [gateway.md](gateway.md).

Durations are written \`"500ms"\`, \`"30s"\`, \`"5m"\`, \`"1h30m"\`, \`"7d"\`; sizes \`"64kb"\`, \`"10mb"\` (1 kB is 1024 bytes). \`\${NAME}\` and
\`\${NAME:-default}\` take variables of the environment. A part is a name (\`use = ["compress"]\`) or a table with one key
(\`use = [{ compress = { min = "1kb" } }]\`). \`x[].y\` is key \`y\` of each table in the list \`x\`, \`NAME\` a name of your own. Every key is
there since ${FIRST_VERSION} unless it says otherwise.
`

export function toMarkdown(sections: readonly Section[]): string {
  return [INTRODUCTION, ...sections.map(toSection)].join("\n")
}

function toSection({ title, entries }: Section): string {
  const head = `## ${title.includes("[") ? `\`${title}\`` : title}\n`
  if (entries.length === 0) return `${head}\nNo keys.\n`
  return [head, "| key | type | default | meaning |", "|---|---|---|---|", ...entries.map(toRow), ""].join("\n")
}

/** The examples of durations, sizes and addresses stand once, at the top. */
function short(type: string): string {
  return type.replace(/ such as ".*/, "")
}

function toRow({ key, types, default: fallback, help, since }: Entry): string {
  const meaning = since === FIRST_VERSION ? help : `${help} (since ${since})`
  const cells = [key === "" ? "the part itself" : code(key), list(types.map(short)), fallback === "" ? "" : code(fallback), meaning]
  return `| ${cells.map(cell => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`
}

function code(text: string): string {
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``
}
