/** "edge/db": models, their fields, queries. */
export { allOf, between, Comparison, contains, endsWith, gt, gte, Has, has, lt, lte, ne, oneOf, startsWith } from "./compare.ts"
export { Database, database, outsideTransaction, transaction, useDatabase, withDatabase } from "./database.ts"
export { ConditionError, InUse, MultipleFound, NotFound, TransactionError, ValidationError } from "./errors.ts"
export type { Field, FieldKind, FieldOptions } from "./field.ts"
export {
  boolean,
  choice,
  date,
  datetime,
  decimal,
  email,
  file,
  image,
  integer,
  json,
  many,
  markdown,
  number,
  references,
  slug,
  text,
  url,
  uuid,
} from "./fields.ts"
export type { ManyField, ReferenceField, ReferenceOptions } from "./fields.ts"
export { model, ModelBase } from "./model.ts"
export type { AnyModel, Fields, Loaded, Model, ModelOptions, New, Patch, Row } from "./model.ts"
export { plural, words } from "./naming.ts"
export { Query } from "./query.ts"
export type { Where } from "./where.ts"
export { slugify } from "./slug.ts"
