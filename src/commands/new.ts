import app from "../templates/app.app.tsx.txt" with { type: "text" }
import test from "../templates/app.app.test.ts.txt" with { type: "text" }
import site from "../templates/app.site.toml.txt" with { type: "text" }
import style from "../templates/app.style.css.txt" with { type: "text" }
import { writeScaffold } from "./scaffold.ts"

/** `edge new NAME`: an app in a folder of its own. */
export async function run(_options: object, [name = ""]: readonly string[]): Promise<void> {
  const files = { "site.toml": site, "app.tsx": app, "app.test.ts": test, "public/style.css": style }
  await writeScaffold(name, { files, words: { name } })
}
