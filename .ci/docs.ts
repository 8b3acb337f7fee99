/** npm run docs:write: the documents that are made from what is true. test/docs/ fails when they are not current. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { toMarkdown } from "../src/reference/markdown.ts"
import { standardSections } from "../src/reference/standard-sections.ts"

writeFileSync(join(import.meta.dir, "..", "docs", "reference.md"), toMarkdown(await standardSections()))
process.exit(0)
