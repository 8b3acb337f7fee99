import { Config, type Tree } from "../../config/config.ts"
import type { Path } from "../../config/path.ts"
import type { Plan } from "../../generation/plan.ts"
import { ListenError } from "./listening-socket.ts"

/** An address that cannot be opened is an error of the config: with the place that names it, where one does. */
export function placeOfListenError(error: unknown, plan: Plan | undefined): unknown {
  if (!(error instanceof ListenError) || plan === undefined) return error
  const config = Config.fromJSON(plan.config)
  const path = find(config.tree, text => text === error.address || text === `http://${error.address}`)
  return path === undefined ? error : new Error(`${config.place(path)}: ${error.message}`, { cause: error })
}

/** Which key holds addresses is the web layer's affair: the text is looked for in all of the tree. */
function find(tree: Tree, wanted: (text: string) => boolean, path: Path = []): Path | undefined {
  if (typeof tree === "string") return wanted(tree) ? path : undefined
  if (typeof tree !== "object" || tree === null) return undefined
  const entries = Array.isArray(tree) ? tree.map((value, i) => [i, value] as const) : Object.entries(tree)
  for (const [key, value] of entries) {
    const found = find(value, wanted, [...path, key])
    if (found !== undefined) return found
  }
  return undefined
}
