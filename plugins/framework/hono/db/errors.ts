/** No row answers the query. An app turns it into 404. */
export class NotFound extends Error {
  override readonly name = "NotFound"
}

/** More than one row answers a query that is for one (`get`). */
export class MultipleFound extends Error {
  override readonly name = "MultipleFound"
}

/** What was written is no condition, order or page: a mistake in the app, or a value from outside that it took unchecked. */
export class ConditionError extends Error {
  override readonly name = "ConditionError"
}

/** Values that a model does not take; one message a field, "" for the row as a whole. Forms show them in place. */
export class ValidationError extends Error {
  override readonly name = "ValidationError"
  constructor(
    readonly model: string,
    readonly issues: Readonly<Record<string, string>>,
  ) {
    super(`${model}: ${Object.entries(issues).map(([key, why]) => (key === "" ? why : `${key}: ${why}`)).join("; ")}`)
  }
}

/** A transaction that is over, or that a failed statement has undone. */
export class TransactionError extends Error {
  override readonly name = "TransactionError"
}

/** A row that others still refer to (onDelete "restrict"). */
export class InUse extends Error {
  override readonly name = "InUse"
}

/** What the databases say of a broken constraint, in our words; anything else as it came. */
export function explainConstraint(error: unknown, model: string, keyOf: (column: string) => string | undefined): unknown {
  const cause = rootCause(error)
  // Of a transaction it would be the complaint of an earlier statement.
  if (cause === undefined || error instanceof TransactionError) return error
  const sqlite = /^UNIQUE constraint failed: (.+)$/.exec(cause.message)
  const columns = sqlite !== null ? sqlite[1]!.split(", ").map(name => name.slice(name.lastIndexOf(".") + 1)) : postgresColumns(cause)
  if (columns !== undefined) {
    const keys = columns.map(column => keyOf(column) ?? column)
    if (keys.length === 1) return new ValidationError(model, { [keys[0]!]: "There is one with this value already." })
    return new ValidationError(model, { "": `There is one with the same ${keys.join(" and ")} already.` })
  }
  // "index row size 2744 exceeds btree version 4 maximum 2704": PostgreSQL's limit for a value in an index.
  if (cause.errno === "54000") return new ValidationError(model, { "": "A value is too long for its index." })
  if (cause.message.includes("FOREIGN KEY constraint failed") || cause.errno === "23503") {
    return new InUse(`${model}: another row refers to it, or it refers to a row that is not there`)
  }
  return error
}

interface DatabaseError extends Error {
  readonly errno?: unknown
  readonly detail?: string
}

/** drizzle wraps the driver's error. */
export function rootCause(error: unknown): DatabaseError | undefined {
  let at = error
  while (at instanceof Error && at.cause instanceof Error) at = at.cause
  return at instanceof Error ? at : undefined
}

/** Detail of SQLSTATE 23505: `Key (slug)=(x) already exists.` */
function postgresColumns(error: DatabaseError): string[] | undefined {
  if (error.errno !== "23505") return undefined
  const detail = /^Key \((.+?)\)=/.exec(error.detail ?? "")
  return detail?.[1]!.split(", ").map(name => name.replaceAll('"', ""))
}
