import type { Dialect } from "../tables.ts"
import type { Form } from "./schema.ts"

const SQLITE: Readonly<Record<string, string | undefined>> = { integer: "integer", boolean: "integer", datetime: "integer", number: "real" }
const POSTGRES: Readonly<Record<string, string | undefined>> = {
  text: "text",
  json: "jsonb",
  integer: "bigint",
  number: "double precision",
  boolean: "boolean",
  date: "date",
  datetime: "timestamp(3) with time zone",
  uuid: "uuid",
}

/** The type of the column that keeps a form. Decimals are whole units in SQLite, which has no exact decimals: so they sort and sum exactly. */
export function kindType(form: Form, dialect: Dialect): string {
  if (form.startsWith("decimal")) return dialect === "sqlite" ? "integer" : form.replace("decimal", "numeric")
  return (dialect === "sqlite" ? SQLITE : POSTGRES)[form] ?? "text"
}
