/** `edge types`: what an editor needs to understand an app or a plugin, with no node_modules. */
import { existsSync } from "node:fs"
import { mkdir, rm, writeFile } from "node:fs/promises"
import { dirname, join, relative } from "node:path"
import { showFile } from "../errors.ts"

export async function run({ to }: { readonly to: string }): Promise<void> {
  const files = await embedded()
  await rm(join(to, "node_modules"), { recursive: true, force: true })
  for (const [path, text] of Object.entries(files)) {
    const file = join(to, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  console.log(`wrote ${Object.keys(files).length} files to ${to}`)
  const base = `./${relative(".", join(to, "tsconfig.json"))}`
  if (existsSync("tsconfig.json")) {
    console.log(`let tsconfig.json say: "extends": ${JSON.stringify(base)}`)
    return
  }
  await writeFile("tsconfig.json", `${JSON.stringify({ extends: base }, null, 2)}\n`)
  console.log(`wrote ${showFile(join(process.cwd(), "tsconfig.json"))}`)
}

/** Made by the build (.ci/types.ts). */
async function embedded(): Promise<Record<string, string>> {
  const { default: path } = await import("../../dist/types.zst", { with: { type: "file" } })
  const bytes = await Bun.file(path).bytes()
  return JSON.parse(new TextDecoder().decode(Bun.zstdDecompressSync(bytes))) as Record<string, string>
}
