/** Folders that `edge new` and `edge plugin new` write. */
import { existsSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { EdgeError, errors, showFile } from "../errors.ts"
import { ownName } from "./own-name.ts"

/** `files`: path below the folder -> text, in which `{{word}}` stands for `words.word`. */
export async function writeScaffold(
  name: string,
  { files, words, next = true }: { files: Readonly<Record<string, string>>; words: Readonly<Record<string, string>>; next?: boolean },
): Promise<void> {
  if (!/^[a-z][a-z0-9_-]*$/i.test(name)) throw new EdgeError(errors.badName(name))
  if (existsSync(name)) throw new EdgeError(errors.exists(name))
  for (const [path, text] of Object.entries(files)) {
    const file = join(name, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text.replace(/\{\{(\w+)\}\}/g, (_, word: string) => words[word] ?? ""))
    console.log(`wrote ${showFile(file)}`)
  }
  if (next) console.log(`\ncd ${name}, then: ${ownName(resolve(name))} dev`)
}
