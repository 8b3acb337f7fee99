import type { AnyModel } from "../model.ts"
import { type Dialect, Tables } from "../tables.ts"

/** The shape of a database as drizzle-kit writes it down; opaque but for its id. */
export interface Snapshot {
  readonly id: string
}

/** An answer to a question of drizzle-kit; entities are [schema, table, column?] with schema always "public". */
export type Hint =
  | { readonly type: "rename"; readonly kind: "table" | "column"; readonly from: readonly string[]; readonly to: readonly string[] }
  | { readonly type: "create"; readonly kind: "table" | "column"; readonly entity: readonly string[] }
  | { readonly type: "confirm_data_loss"; readonly kind: string; readonly entity: readonly string[] }

export interface Question {
  readonly type: "rename_or_create" | "confirm_data_loss"
  readonly kind: string
  readonly entity: readonly string[]
  readonly reason?: string
}

/** The change cannot be told without answers: was a column renamed, or is it new? */
export class Unanswered extends Error {
  override readonly name = "Unanswered"
  constructor(readonly questions: readonly Question[]) {
    super(questions.map(q => `${q.kind} ${q.entity.slice(1).join(".")}`).join(", "))
  }
}

interface Kit {
  generateDrizzleJson(imports: Record<string, unknown>, previous?: string): Promise<Snapshot>
  generateMigration(previous: Snapshot, current: Snapshot, options: { hints: readonly Hint[] }): Promise<string[]>
}

/** Loaded only by the commands that make migrations: it is 2 MB of code that no request needs. */
async function kit(dialect: Dialect): Promise<Kit> {
  return (dialect === "sqlite" ? await import("drizzle-kit/payload/sqlite") : await import("drizzle-kit/payload/postgres")) as never
}

export async function snapshotOf(models: readonly AnyModel[], dialect: Dialect, previous?: Snapshot): Promise<Snapshot> {
  return (await kit(dialect)).generateDrizzleJson(new Tables(dialect).all(models), previous?.id)
}

export async function emptySnapshot(dialect: Dialect): Promise<Snapshot> {
  return (await kit(dialect)).generateDrizzleJson({})
}

/** The statements from one shape to another; throws Unanswered when the hints do not settle every question. */
export async function statements(from: Snapshot, to: Snapshot, options: { dialect: Dialect; hints?: readonly Hint[] }): Promise<string[]> {
  try {
    const made = await (await kit(options.dialect)).generateMigration(from, to, { hints: options.hints ?? [] })
    return made.map(statement => statement.trim()).filter(statement => statement !== "")
  } catch (error) {
    const questions = (error as { missingHints?: Question[] }).missingHints
    if (questions !== undefined) throw new Unanswered(questions)
    throw error
  }
}
