/** Where a part that another part asks for stands in the config. */
import type { Config } from "../config/config.ts"
import { formatPath, type Path, valueAt } from "../config/path.ts"

export class PartPlaces {
  /** Bare values that were taken for a part: the next part with the same words stands further on. */
  readonly #claimed = new Set<string>()

  constructor(readonly config: Config) {}

  /** Known by the identity of the table or of its options; by `at`; or, for a bare value, found below the parent. */
  ofOptions(o: { part: unknown; name: string; options: unknown; parent: Path; at: Path | undefined }): Path {
    const { config } = this
    const known = config.pathOf(o.part)
    if (known !== undefined) return [...known, o.name]
    const direct = config.pathOf(o.options)
    if (direct !== undefined) return direct
    if (o.at !== undefined) {
      const path = [...o.parent, ...o.at]
      return path[path.length - 1] === o.name ? path : [...path, o.name]
    }
    return this.find(o.parent, { key: o.name, value: o.options })
  }

  /** The first place below `parent` where the value (under the key) stands and that no other part has taken. */
  find(parent: Path, wanted: { key?: string; value: unknown }): Path {
    const search = (value: unknown, path: Path): Path | undefined => {
      const last = path[path.length - 1]
      if (value === wanted.value && (wanted.key === undefined || wanted.key === last) && !this.#claimed.has(formatPath(path))) return path
      if (typeof value !== "object" || value === null) return undefined
      for (const [key, child] of Object.entries(value)) {
        const found = search(child, [...path, Array.isArray(value) ? Number(key) : key])
        if (found !== undefined) return found
      }
      return undefined
    }
    const found = search(valueAt(this.config.tree, parent), parent)
    if (found !== undefined) this.#claimed.add(formatPath(found))
    return found ?? parent
  }
}
