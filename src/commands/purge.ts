import { control } from "../control.ts"
import { EdgeError, errors } from "../errors.ts"
import { type ControlOptions, controlSocket } from "./control-socket.ts"

interface PurgeOptions extends ControlOptions {
  readonly prefix?: readonly string[]
  readonly tag?: readonly string[]
  readonly all?: boolean
}

/** "/path?query", or the same with a host and perhaps a scheme in front. */
const purgeable = /^(?:(?:https?:\/\/)?(?:\[[\da-f:]+\]|[^/?#\s:[]+)(?::\d+)?)?\/[^\s#]*$/i

/** Takes answers out of every cache of every front, and off their disks. */
export async function run(options: PurgeOptions, urls: readonly string[]): Promise<void> {
  const { prefix: prefixes = [], tag: tags = [], all = false } = options
  if (urls.length + prefixes.length + tags.length === 0 && !all) throw new EdgeError(errors.usage("say what to purge: URLs, --prefix, --tag or --all"))
  const wrong = [...urls, ...prefixes].find(url => !purgeable.test(url))
  if (wrong !== undefined) throw new EdgeError(errors.usage(`a URL to purge is "/path?query" or "https://host/path?query"; found "${wrong}"`))
  const args = { id: crypto.randomUUID(), urls, prefixes, tags, all }
  const { told = [] } = await control(await controlSocket(options), { do: "tell", command: { name: "purge", args }, keep: false })
  const counts = told.flat()
  if (counts.length === 0) throw new EdgeError({ code: "purge/none", message: "there is no cache in the config" })
  const sum = counts.reduce<number>((all, count) => all + (typeof count === "number" ? count : 0), 0)
  console.log(`purged; ${sum} ${sum === 1 ? "answer was" : "answers were"} in the memory of ${told.length === 1 ? "the front" : `${told.length} fronts`}`)
}
