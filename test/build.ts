/** The executable that tests run: dist/edge, built when a source is newer than it. */
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dir, "..")
const sources = ["src", "plugins", "package.json", "package-lock.json", ".ci/build.ts"]

let built: Promise<string> | undefined

export function executable(): Promise<string> {
  return (built ??= build())
}

async function build(): Promise<string> {
  const edge = join(root, "dist", process.platform === "win32" ? "edge.exe" : "edge")
  if (existsSync(edge) && newest() <= statSync(edge).mtimeMs) return edge
  const child = Bun.spawn([process.execPath, join(root, ".ci", "build.ts")], { cwd: root, stdout: "pipe", stderr: "pipe" })
  const [code, words] = await Promise.all([child.exited, new Response(child.stderr).text()])
  if (code !== 0) throw new Error(`the build failed:\n${words}`)
  return edge
}

function newest(): number {
  const times = sources.flatMap(source => {
    const path = join(root, source)
    const below = statSync(path).isDirectory() ? readdirSync(path, { recursive: true, encoding: "utf8" }) : []
    return [path, ...below.map(name => join(path, name))]
  })
  return Math.max(...times.filter(isSource).map(path => statSync(path).mtimeMs))
}

/** A test that changes is no reason to build. */
function isSource(path: string): boolean {
  return !path.endsWith(".test.ts") && existsSync(path)
}
