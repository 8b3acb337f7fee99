import { ConfigError, formatPlace, type Place, type Problem } from "../errors.ts"
import { type Kernel, readKernel } from "./kernel.ts"
import { formatPath, type Path } from "./path.ts"
import type { Node, Scalar, TableNode } from "./toml.ts"

export type Tree = Scalar | Tree[] | { [key: string]: Tree }

/** Where a key and its value stand: [file, key line, key column, value line, value column]; file is an index. */
type Spot = readonly [file: number, keyLine: number, keyColumn: number, line: number, column: number]

/** What crosses to the fronts, so that all work with the very same config. */
export interface ConfigJson {
  readonly file: string
  readonly dir: string
  readonly files: readonly string[]
  readonly tree: { [key: string]: Tree }
  readonly spots: Readonly<Record<string, Spot>>
  readonly variables: readonly string[]
}

/** A config as read: the tree of plain values, and the place in the files of each of them. */
export class Config {
  readonly file: string
  /** Folder of the main file; paths in the config are relative to it. */
  readonly dir: string
  /** The main file and the included ones. */
  readonly files: readonly string[]
  readonly tree: { [key: string]: Tree }
  readonly #spots: Readonly<Record<string, Spot>>
  /** Paths of strings that were exactly one variable. */
  readonly #variables: ReadonlySet<string>
  readonly #paths = new WeakMap<object, Path>()
  #kernel: { kernel: Kernel; problems: readonly Problem[] } | undefined

  constructor(json: ConfigJson) {
    this.file = json.file
    this.dir = json.dir
    this.files = json.files
    this.tree = json.tree
    this.#spots = json.spots
    this.#variables = new Set(json.variables)
    this.#index(this.tree, [])
  }

  static fromJSON(json: ConfigJson): Config {
    return new Config(json)
  }

  static fromNodes(root: TableNode, options: { file: string; dir: string; files: readonly string[] }): Config {
    const spots: Record<string, Spot> = {}
    const variables: string[] = []
    const build = (node: Node, path: Path, key: Place): Tree => {
      const text = formatPath(path)
      spots[text] = [options.files.indexOf(node.at.file), key.line, key.column, node.at.line, node.at.column]
      if (node.kind === "list") return node.items.map((item, i) => build(item, [...path, i], item.at))
      if (node.kind === "table") {
        const entries = [...node.entries].map(([name, e]) => [name, build(e.node, [...path, name], e.key)] as const)
        return Object.fromEntries(entries)
      }
      if (node.variable) variables.push(text)
      return node.value
    }
    const tree = build(root, [], root.at) as { [key: string]: Tree }
    return new Config({ ...options, tree, spots, variables })
  }

  toJSON(): ConfigJson {
    return {
      file: this.file,
      dir: this.dir,
      files: this.files,
      tree: this.tree,
      spots: this.#spots,
      variables: [...this.#variables],
    }
  }

  /** Differs when anything in it does. */
  get digest(): string {
    return new Bun.CryptoHasher("sha256").update(JSON.stringify(this.tree)).digest("hex").slice(0, 32)
  }

  /** The kernel's own sections, checked; throws a ConfigError with all that is wrong in them. */
  get kernel(): Kernel {
    const { kernel, problems } = this.readKernel()
    if (problems.length > 0) throw new ConfigError(problems)
    return kernel
  }

  /** As `kernel`, but with defaults in place of the sections that have problems, to go on and find more. */
  readKernel(): { kernel: Kernel; problems: readonly Problem[] } {
    return (this.#kernel ??= readKernel(this))
  }

  /** Path of an object of the tree, or of a copy made known by `alias`. */
  pathOf(object: unknown): Path | undefined {
    return typeof object === "object" && object !== null ? this.#paths.get(object) : undefined
  }

  /** Checked values are copies: makes `copy` known as what stands at `path`, and what is alike below it too. */
  alias(copy: unknown, original: unknown, path: Path): void {
    if (typeof copy !== "object" || copy === null || typeof original !== "object" || original === null) return
    if (!this.#paths.has(copy)) this.#paths.set(copy, path)
    else if (copy === original) return
    for (const [key, value] of Object.entries(copy)) {
      const step = Array.isArray(original) ? Number(key) : key
      if (Object.hasOwn(original, key)) this.alias(value, (original as Record<string, unknown>)[key], [...path, step])
    }
  }

  /** Place of a value, or of its key with `key: true`; of the nearest table above it when it is not written. */
  placeOf(path: Path, options: { key?: boolean } = {}): Place {
    for (let length = path.length; length >= 0; length--) {
      const spot = this.#spots[formatPath(path.slice(0, length))]
      if (spot === undefined) continue
      const file = this.files[spot[0]] ?? this.file
      const byKey = options.key === true || length < path.length
      return byKey
        ? { file, line: spot[1], column: spot[2] }
        : { file, line: spot[3], column: spot[4] }
    }
    return { file: this.file, line: 1, column: 1 }
  }

  /** `site.toml:14:3` of a path, or of an object of the tree. */
  place(what: Path | object): string {
    return formatPlace(this.placeOf(this.pathOf(what) ?? (Array.isArray(what) ? (what as Path) : [])))
  }

  isVariable(path: Path): boolean {
    return this.#variables.size > 0 && this.#variables.has(formatPath(path))
  }

  #index(value: Tree, path: Path): void {
    if (typeof value !== "object" || value === null) return
    this.#paths.set(value, path)
    if (Array.isArray(value)) value.forEach((item, i) => this.#index(item, [...path, i]))
    else for (const [key, item] of Object.entries(value)) this.#index(item, [...path, key])
  }
}
