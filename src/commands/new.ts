import app from "../templates/app.app.tsx.txt" with { type: "text" }
import test from "../templates/app.app.test.ts.txt" with { type: "text" }
import ignored from "../templates/app.gitignore.txt" with { type: "text" }
import site from "../templates/app.site.toml.txt" with { type: "text" }
import style from "../templates/app.style.css.txt" with { type: "text" }
import { manage } from "./manage.ts"
import { ownName } from "./own-name.ts"
import { writeScaffold } from "./scaffold.ts"

/** `edge new NAME`: a site with posts, comments and accounts in a folder of its own, its tables made. */
export async function run(_options: object, [name = ""]: readonly string[]): Promise<void> {
  const files = { "site.toml": site, "app.tsx": app, "app.test.ts": test, "static/style.css": style, ".gitignore": ignored }
  await writeScaffold(name, { files, words: { name }, next: false })
  process.chdir(name)
  await quietly(async () => {
    await manage(["makemigrations"])
    await manage(["migrate"])
  })
  console.log(`wrote migrations/0001_initial and made its tables in data.db\n\ncd ${name}, then: ${ownName(process.cwd())} dev`)
}

/** What the commands say is for those who call them. */
async function quietly(f: () => Promise<void>): Promise<void> {
  const { log } = console
  console.log = () => {}
  try {
    await f()
  } finally {
    console.log = log
  }
}
