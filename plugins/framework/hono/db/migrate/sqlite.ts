/** A step in SQLite's words. What ALTER TABLE cannot do there is done by a new table (https://sqlite.org/lang_altertable.html, section 7). */
import type { TableChange } from "./changes.ts"
import { kindType } from "./forms.ts"
import type { ColumnShape, IndexShape, TableShape } from "./schema.ts"
import { altered, mustBeEmpty, type Step } from "./sql.ts"

const quote = (name: string) => `\`${name}\``

export function sqliteStatements(step: Step): string[] {
  const { changes, after } = step
  const replaced = changes.dropped.filter(name => changes.created.includes(name))
  const drop = (name: string) => `DROP TABLE ${quote(name)};`
  const made = changes.changed.map(change => changeTable(change, step))
  return [
    // First: tables and indexes share their names, and one that goes may have that of one that comes.
    ...changes.changed.flatMap(({ indexes }) => [...indexes.dropped, ...indexes.renamed.map(([from]) => from)].map(name => `DROP INDEX IF EXISTS ${quote(name)};`)),
    ...renames(step),
    ...replaced.map(drop),
    ...changes.created.map(name => createTable(name, after.tables[name]!)),
    ...made.flatMap(({ guards }) => guards),
    ...made.flatMap(({ statements }) => statements),
    ...changes.dropped.filter(name => !replaced.includes(name)).map(drop),
    ...changes.created.flatMap(name => Object.entries(after.tables[name]!.indexes).map(([index, shape]) => createIndex(name, index, shape))),
    ...changes.changed.flatMap((change, i) => {
      const names = made[i]!.rebuilt ? Object.keys(change.after.indexes) : [...change.indexes.created, ...change.indexes.renamed.map(([, to]) => to)]
      return names.map(index => createIndex(change.name, index, change.after.indexes[index]!))
    }),
  ]
}

function renames({ renames: { tables, columns } }: Step): string[] {
  return [
    ...[...tables].map(([from, to]) => `ALTER TABLE ${quote(from)} RENAME TO ${quote(to)};`),
    ...[...columns].flatMap(([table, names]) => [...names].map(([from, to]) => `ALTER TABLE ${quote(table)} RENAME COLUMN ${quote(from)} TO ${quote(to)};`)),
  ]
}

interface Made {
  readonly guards: readonly string[]
  readonly statements: readonly string[]
  readonly rebuilt: boolean
}

function changeTable(change: TableChange, step: Step): Made {
  const { name: table, before, after } = change
  const unknown = change.added.filter(name => after.columns[name]!.needed && !step.fills.has(`${table}.${name}`))
  const guards = unknown.map(name => mustBeEmpty(table, name, quote))
  // A column of a foreign key cannot be dropped, nor one be added that is needed and has no value, or one made of other columns.
  const rebuilt = change.altered.length > 0 || unknown.length > 0 || change.added.some(name => step.fills.get(`${table}.${name}`)?.includes("`")) || change.dropped.some(name => before.columns[name]!.references !== undefined)
  if (!rebuilt) {
    const added = change.added.map(name => {
      const shape = after.columns[name]!
      const fill = shape.needed ? ` DEFAULT ${step.fills.get(`${table}.${name}`)!}` : ""
      return `ALTER TABLE ${quote(table)} ADD COLUMN ${columnSql(name, shape, fill)};`
    })
    return { guards, rebuilt, statements: [...added, ...change.dropped.map(name => `ALTER TABLE ${quote(table)} DROP COLUMN ${quote(name)};`)] }
  }
  const values = Object.entries(after.columns).map(([name, { needed }]) => {
    if (change.added.includes(name)) return (needed ? step.fills.get(`${table}.${name}`) : undefined) ?? "NULL"
    const column = change.altered.find(altered => altered.name === name)
    if (column === undefined) return quote(name)
    const made = altered(table, column, { step, dialect: "sqlite", quote })
    guards.push(...made.guards)
    return made.value
  })
  const fresh = `__new_${table}`
  return {
    guards,
    rebuilt,
    statements: [
      createTable(fresh, after),
      `INSERT INTO ${quote(fresh)} (${Object.keys(after.columns).map(quote).join(", ")}) SELECT ${values.join(", ")} FROM ${quote(table)};`,
      `DROP TABLE ${quote(table)};`,
      `ALTER TABLE ${quote(fresh)} RENAME TO ${quote(table)};`,
    ],
  }
}

function createTable(name: string, { columns, pairs }: TableShape): string {
  const lines = Object.entries(columns).map(([column, shape]) => columnSql(column, shape))
  if (pairs !== undefined) lines.push(`PRIMARY KEY (${Object.keys(columns).map(quote).join(", ")})`)
  return `CREATE TABLE ${quote(name)} (\n\t${lines.join(",\n\t")}\n);`
}

function columnSql(name: string, { form, needed, references }: ColumnShape, fill = ""): string {
  if (form === "key") return `${quote(name)} integer PRIMARY KEY AUTOINCREMENT`
  const link = references === undefined ? "" : ` REFERENCES ${quote(references.table)}(\`id\`) ON DELETE ${references.onDelete.toUpperCase()}`
  return `${quote(name)} ${kindType(form, "sqlite")}${needed ? " NOT NULL" : ""}${fill}${link}`
}

function createIndex(table: string, name: string, { columns, unique }: IndexShape): string {
  return `CREATE ${unique ? "UNIQUE " : ""}INDEX ${quote(name)} ON ${quote(table)} (${columns.map(quote).join(", ")});`
}
