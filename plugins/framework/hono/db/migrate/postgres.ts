/** A step in PostgreSQL's words. Constraints and indexes take the new names with a rename, so that later steps find them. */
import type { ColumnChange, TableChange } from "./changes.ts"
import { kindType } from "./forms.ts"
import { quoted } from "./literal.ts"
import type { ColumnShape, IndexShape, ReferenceShape, TableShape } from "./schema.ts"
import { altered, mustBeEmpty, type Step } from "./sql.ts"

const quote = (name: string) => `"${name}"`

export function postgresStatements(step: Step): string[] {
  const { changes, after } = step
  const replaced = changes.dropped.filter(name => changes.created.includes(name))
  // In one statement: tables that refer to each other go together.
  const drop = (names: readonly string[]) => (names.length === 0 ? [] : [`DROP TABLE ${names.map(quote).join(", ")};`])
  const columns = changes.changed.map(change => changeColumns(change, step))
  const indexes = changes.changed.map(change => indexChanges(change, step))
  return [
    ...indexes.flatMap(({ dropped }) => dropped.map(name => `DROP INDEX ${quote(name)};`)),
    ...renames(step),
    ...changes.changed.flatMap(change => renamedConstraints(change, step)),
    ...indexes.flatMap(({ renamed }) => renamed.map(([from, to]) => `ALTER INDEX ${quote(from)} RENAME TO ${quote(to)};`)),
    ...changes.changed.flatMap(change => droppedKeys(change, step)),
    ...drop(replaced),
    ...changes.created.map(name => createTable(name, after.tables[name]!)),
    ...columns.flatMap(({ guards }) => guards),
    ...columns.flatMap(({ statements }) => statements),
    ...drop(changes.dropped.filter(name => !replaced.includes(name))),
    ...changes.created.flatMap(name => Object.entries(after.tables[name]!.indexes).map(([index, shape]) => createIndex(name, index, shape))),
    ...changes.changed.flatMap(({ name, after: shape }, i) => indexes[i]!.created.map(index => createIndex(name, index, shape.indexes[index]!))),
    ...changes.created.flatMap(name => Object.entries(after.tables[name]!.columns).flatMap(([column, { references }]) => addKey(name, column, references))),
    ...changes.changed.flatMap(change => {
      const names = [...change.added, ...change.altered.filter(({ references }) => references).map(({ name }) => name)]
      return names.flatMap(name => addKey(change.name, name, change.after.columns[name]!.references))
    }),
  ]
}

function renames({ renames: { tables, columns } }: Step): string[] {
  return [
    ...[...tables].map(([from, to]) => `ALTER TABLE ${quote(from)} RENAME TO ${quote(to)};`),
    ...[...columns].flatMap(([table, names]) => [...names].map(([from, to]) => `ALTER TABLE ${quote(table)} RENAME COLUMN ${quote(from)} TO ${quote(to)};`)),
  ]
}

/** Tables and indexes share their names: an index whose old or new name a table has is made anew, not renamed. */
function indexChanges({ indexes }: TableChange, { before, after }: Step): TableChange["indexes"] {
  const clash = (names: readonly string[]) => names.some(name => before.tables[name] !== undefined || after.tables[name] !== undefined)
  const anew = indexes.renamed.filter(clash)
  return {
    renamed: indexes.renamed.filter(names => !clash(names)),
    dropped: [...indexes.dropped, ...anew.map(([from]) => from)],
    created: [...indexes.created, ...anew.map(([, to]) => to)],
  }
}

/** Keys that stay take the name that belongs to them now. */
function renamedConstraints({ name: table, before, after }: TableChange, { uncertainNames }: Step): string[] {
  return Object.entries(before.columns).flatMap(([column, { references: was }]) => {
    const now = after.columns[column]?.references
    if (was?.name === undefined || now?.name === undefined || was.name === now.name || was.table !== now.table || was.onDelete !== now.onDelete) return []
    return [...certain(table, column, { name: was.name, uncertainNames }), `ALTER TABLE ${quote(table)} RENAME CONSTRAINT ${quote(was.name)} TO ${quote(now.name)};`]
  })
}

/** Keys that go, or that are made anew with another target. */
function droppedKeys({ name: table, before, after, dropped }: TableChange, { uncertainNames }: Step): string[] {
  return Object.entries(before.columns).flatMap(([column, { references: was }]) => {
    const now = after.columns[column]?.references
    // With its column a key goes by itself.
    if (was?.name === undefined || dropped.includes(column) || (now?.table === was.table && now.onDelete === was.onDelete)) return []
    return [...certain(table, column, { name: was.name, uncertainNames }), `ALTER TABLE ${quote(table)} DROP CONSTRAINT ${quote(was.name)};`]
  })
}

/** Older edges renamed tables and left their keys' names: the key of this column gets the name that the snapshot has for it. */
function certain(table: string, column: string, { name, uncertainNames }: { name: string; uncertainNames: boolean }): string[] {
  if (!uncertainNames) return []
  const regclass = `${quoted(quote(table))}::regclass`
  return [
    `DO $$ DECLARE found text; BEGIN
  SELECT conname INTO found FROM pg_constraint WHERE contype = 'f' AND conrelid = ${regclass}
    AND conkey = (SELECT array_agg(attnum) FROM pg_attribute WHERE attrelid = ${regclass} AND attname = ${quoted(column)});
  IF found <> ${quoted(name)} THEN EXECUTE format('ALTER TABLE ${quote(table)} RENAME CONSTRAINT %I TO ${quote(name)}', found); END IF;
END $$;`,
  ]
}

function changeColumns(change: TableChange, step: Step): { guards: string[]; statements: string[] } {
  const { name: table, after } = change
  const guards: string[] = []
  const statements: string[] = []
  for (const name of change.added) {
    const shape = after.columns[name]!
    const fill = step.fills.get(`${table}.${name}`)
    if (shape.needed && fill === undefined) guards.push(mustBeEmpty(table, name, quote))
    const add = `ALTER TABLE ${quote(table)} ADD COLUMN ${columnSql(name, shape)}`
    if (!shape.needed || fill === undefined) statements.push(`${add};`)
    // The default lives in the model only.
    else if (isConstant(fill)) statements.push(`${add} DEFAULT ${fill};`, `ALTER TABLE ${quote(table)} ALTER COLUMN ${quote(name)} DROP DEFAULT;`)
    else statements.push(`ALTER TABLE ${quote(table)} ADD COLUMN ${quote(name)} ${kindType(shape.form, "postgres")};`, `UPDATE ${quote(table)} SET ${quote(name)} = ${fill};`, `ALTER TABLE ${quote(table)} ALTER COLUMN ${quote(name)} SET NOT NULL;`)
  }
  for (const column of change.altered) {
    const made = altered(table, column, { step, dialect: "postgres", quote })
    guards.push(...made.guards)
    statements.push(...alterColumn(table, column, made.value))
  }
  statements.push(...change.dropped.map(name => `ALTER TABLE ${quote(table)} DROP COLUMN ${quote(name)};`))
  return { guards, statements }
}

/** Not made of other columns: those cannot stand in a DEFAULT. */
function isConstant(fill: string): boolean {
  return !fill.includes('"')
}

function alterColumn(table: string, { name, after, form, needed }: ColumnChange, value: string): string[] {
  const [t, x] = [quote(table), quote(name)]
  const statements: string[] = []
  if (needed && !after.needed) statements.push(`ALTER TABLE ${t} ALTER COLUMN ${x} DROP NOT NULL;`)
  if (form) statements.push(`ALTER TABLE ${t} ALTER COLUMN ${x} SET DATA TYPE ${kindType(after.form, "postgres")} USING ${value};`)
  else if (value !== x) statements.push(`UPDATE ${t} SET ${x} = ${value} WHERE ${x} IS NULL;`)
  if (needed && after.needed) statements.push(`ALTER TABLE ${t} ALTER COLUMN ${x} SET NOT NULL;`)
  return statements
}

function createTable(name: string, { columns, pairs }: TableShape): string {
  const lines = Object.entries(columns).map(([column, shape]) => columnSql(column, shape))
  if (pairs !== undefined) lines.push(`PRIMARY KEY (${Object.keys(columns).map(quote).join(", ")})`)
  return `CREATE TABLE ${quote(name)} (\n\t${lines.join(",\n\t")}\n);`
}

function columnSql(name: string, { form, needed }: ColumnShape): string {
  if (form === "key") return `${quote(name)} bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY`
  return `${quote(name)} ${kindType(form, "postgres")}${needed ? " NOT NULL" : ""}`
}

function createIndex(table: string, name: string, { columns, unique }: IndexShape): string {
  return `CREATE ${unique ? "UNIQUE " : ""}INDEX ${quote(name)} ON ${quote(table)} (${columns.map(quote).join(", ")});`
}

function addKey(table: string, column: string, references: ReferenceShape | undefined): string[] {
  if (references?.name === undefined) return []
  return [`ALTER TABLE ${quote(table)} ADD CONSTRAINT ${quote(references.name)} FOREIGN KEY (${quote(column)}) REFERENCES ${quote(references.table)}("id") ON DELETE ${references.onDelete.toUpperCase()};`]
}
