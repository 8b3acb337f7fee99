/** The config that an adaptation makes, piece by piece, and its text. */

export type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value }

/** A setting that has no counterpart, or one that says something else here. */
export interface Note {
  /** As in the file: "worker_tmp_dir". */
  readonly setting: string
  readonly line?: number | undefined
  /** What to do about it, or why nothing is to be done. */
  readonly why: string
}

/** An ordered table; a key that is set again is replaced. */
export type Table = Map<string, Value>

export interface AdaptedApp {
  readonly name: string
  readonly keys: Table
  readonly env: Table
  readonly daemons: Map<string, Table>
  readonly cron: Table[]
}

export interface AdaptedSite {
  /** What the config was made of, for its first line. */
  readonly from: string
  readonly server: Table
  readonly log: Table
  readonly site: Table
  readonly routes: Table[]
  readonly apps: AdaptedApp[]
  readonly notes: Note[]
  /** What is other by default: comments at the end of the config. */
  readonly differs: string[]
}

export function newSite(from: string): AdaptedSite {
  return { from, server: new Map(), log: new Map(), site: new Map(), routes: [], apps: [], notes: [], differs: [] }
}

export function newApp(name: string): AdaptedApp {
  return { name, keys: new Map(), env: new Map(), daemons: new Map(), cron: [] }
}

/** site.toml, with the notes as comments at its end. */
export function toToml(site: AdaptedSite): string {
  const parts = [
    `# Made from ${site.from} by \`edge adapt\`. \`edge check\` tries it.`,
    table("[server]", site.server),
    table("[log]", site.log),
    table("[[site]]", site.site, { always: true }),
    ...site.routes.map(route => table("[[site.route]]", route, { always: true })),
    ...site.apps.flatMap(app => [
      table(`[app.${key(app.name)}]`, app.keys, { always: true }),
      table(`[app.${key(app.name)}.env]`, app.env),
      ...[...app.daemons].map(([name, daemon]) => table(`[app.${key(app.name)}.daemons.${key(name)}]`, daemon)),
      ...app.cron.map(job => table(`[[app.${key(app.name)}.cron]]`, job)),
    ]),
    site.notes.length === 0 ? "" : ["# Not carried over:", ...site.notes.map(note => `#   ${sayNote(note)}`)].join("\n"),
    site.differs.length === 0 ? "" : ["# Other by default:", ...site.differs.map(line => `#   ${line}`)].join("\n"),
  ]
  return `${parts.filter(part => part !== "").join("\n\n")}\n`
}

export function sayNote({ setting, line, why }: Note): string {
  return `${setting}${line === undefined ? "" : ` (line ${line})`}: ${why.replaceAll("\n", " ")}`
}

function table(head: string, keys: Table, { always = false } = {}): string {
  if (keys.size === 0 && !always) return ""
  return [head, ...[...keys].map(([name, value]) => `${key(name)} = ${toText(value)}`)].join("\n")
}

function key(name: string): string {
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name)
}

function toText(value: Value): string {
  if (typeof value === "string") return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(toText).join(", ")}]`
  if (typeof value !== "object") return String(value)
  return `{ ${Object.entries(value).map(([name, one]) => `${key(name)} = ${toText(one)}`).join(", ")} }`
}
