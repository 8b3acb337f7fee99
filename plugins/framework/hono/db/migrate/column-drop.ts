const DROP = /^(?:--[^\n]*\n\s*)*ALTER TABLE\s+"([^"]+)"\s+DROP COLUMN\s+"([^"]+)"/i

/** CHECKs, UNIQUEs and indexes of PostgreSQL that speak of this column and of another, too. */
const SHARED = `
  SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) AS object, coalesce(c.conname, k.relname)::text AS name
  FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    LEFT JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
    LEFT JOIN pg_class k ON d.classid = 'pg_class'::regclass AND k.oid = d.objid
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = quote_ident($1)::regclass AND a.attname = $2 AND coalesce(c.conname, k.relname) IS NOT NULL AND coalesce(c.contype, 'c') <> 'f'
    AND EXISTS (SELECT 1 FROM pg_depend o WHERE o.classid = d.classid AND o.objid = d.objid AND o.refobjid = d.refobjid AND o.refobjsubid NOT IN (0, d.refobjsubid))`

/**
 * With a column PostgreSQL drops what was written by hand over it and others, without a word: half of it would still be
 * meant. SQLite refuses. Objects that the migration names are known to whoever wrote it.
 */
export async function refuseSharedDrop(tx: Bun.SQL, statement: string, text: string): Promise<void> {
  const drop = DROP.exec(statement)
  if (drop === null) return
  const [, table, column] = drop as unknown as [string, string, string]
  const found = (await tx.unsafe(SHARED, [table, column])) as { object: string; name: string }[]
  const unknown = found.filter(({ name }) => !text.includes(name))
  if (unknown.length > 0) throw new Error(`with ${table}.${column} would go what was made by hand over it and other columns: ${unknown.map(({ object }) => object).join(", ")}; drop it by name before, and make it anew where it is still meant; nothing was changed`)
}
